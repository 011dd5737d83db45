"""What does the service do with its data? Services know nothing of HTTP."""
