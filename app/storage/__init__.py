"""What is in the cameras' folders, and how are files opened so that none outside is reached?"""
