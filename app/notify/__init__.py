"""Who is told what has happened, and how does the message reach the receiver?"""
