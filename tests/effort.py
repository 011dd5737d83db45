"""How much work does SQLite do? Query plans and instructions of its virtual machine."""

from app.db import database, writer

STEPS_PER_CALL = 10


def writer_connection():
    """The connection of the writer thread."""
    return writer.run(database.connection)


def connections():
    """The connection of this thread, and that of the writer thread."""
    return database.connection(), writer_connection()


def changes():
    """How many rows were written, inserted or deleted so far."""
    return sum(connection.total_changes for connection in connections())


def plans(work):
    """The query plan of each statement in ``work()``: statement → lines of its plan."""
    statements = []
    own, writing = connections()
    for connection in (own, writing):
        connection.set_trace_callback(statements.append)
    try:
        work()
    finally:
        for connection in (own, writing):
            connection.set_trace_callback(None)
    return {
        statement: [row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in statements
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    }


def steps(work):
    """How many instructions SQLite runs for ``work()``, rounded down slightly."""
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    for connection in connections():
        connection.set_progress_handler(count, STEPS_PER_CALL)
    try:
        work()
    finally:
        for connection in connections():
            connection.set_progress_handler(None, 0)
    return calls * STEPS_PER_CALL
