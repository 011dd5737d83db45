"""Who is told what has happened, and how does the message reach the receiver?

A rule is a row of `Notification`; its receiver is where its URL leads. A message is written for a
rule; a delivery is the row of `Delivery` that says what became of it.
"""
