"""How fast is the service beside FastAPI and nginx on the same machine?"""
