"""What happens when somebody wants something? Knows nothing of HTTP."""
