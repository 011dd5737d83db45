"""What crosses the wire? A schema for each body and each query string, in a module per resource.

A schema validates requests and documents responses. Unknown fields are refused (marshmallow's
default). Nothing here reads the database.
"""
