"""How is a picture made smaller, or drawn where there is none?"""
