"""What is wrong between a camera and its picture, and what should a person do about it?"""
