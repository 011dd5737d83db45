"""How is a picture made smaller, and what is drawn where there is none?"""
