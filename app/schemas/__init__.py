"""What crosses the wire? One schema per body and per query string, by resource.

They check what comes in, strictly, and describe what goes out. Unknown fields are refused
(marshmallow's default) and all bad fields are reported at once. Nothing here touches the database.
"""
