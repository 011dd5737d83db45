"""How fast is the service, and how heavy? ``python -m benchmarks`` measures and prints a table."""
