"""What is wrong between a camera and its picture, and what would mend it?"""
