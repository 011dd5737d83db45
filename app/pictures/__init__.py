"""Which pictures and clips does each camera have, by time, and which of them may be deleted?"""
