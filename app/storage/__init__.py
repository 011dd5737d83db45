"""What lies in the cameras' folders, and how is a file there opened without being led outside?"""
