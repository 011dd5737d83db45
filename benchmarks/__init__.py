"""How fast is the service, and how heavy?"""
