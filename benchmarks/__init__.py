"""How fast is the service? ``python -m benchmarks`` measures it and prints a table."""
