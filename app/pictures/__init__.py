"""Which pictures and clips of each camera are there, by time, and which of them may go?"""
