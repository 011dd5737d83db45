"""Who may ask for what, from which host, through which proxy?"""
