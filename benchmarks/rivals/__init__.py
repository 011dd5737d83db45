"""What would a user pick instead, and what can the machine do at all?"""
