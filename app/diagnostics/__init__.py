"""Why does a camera show no new picture, and what should a person do about it?"""
