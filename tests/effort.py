"""How hard must SQLite work? Plans and steps of its virtual machine: the same on any computer."""

from app.db import database

STEPS_PER_CALL = 10


def plans(work):
    """What SQLite does for each statement of ``work()``: statement → lines of its plan."""
    statements = []
    connection = database.connection()
    connection.set_trace_callback(statements.append)
    try:
        work()
    finally:
        connection.set_trace_callback(None)
    return {
        statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in statements
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    }


def steps(work):
    """How many instructions SQLite runs for ``work()``, a little rounded down."""
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    connection = database.connection()
    connection.set_progress_handler(count, STEPS_PER_CALL)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
    return calls * STEPS_PER_CALL
