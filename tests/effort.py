"""How much work does SQLite do? Query plans and instructions of its virtual machine."""

from contextlib import contextmanager

from app.db import database, writer

STEPS_PER_CALL = 10


def writer_connection():
    """The connection of the writer thread."""
    return writer.run(database.connection)


def on_each_connection(use):
    """What ``use`` returns for the connection of this thread and for that of the writer thread.

    Each connection is used by its own thread. If one thread used both, SQLite would let it wait
    for the other thread while it holds the interpreter, and a callback there would wait for ever.
    """
    return use(database.connection()), writer.run(lambda: use(database.connection()))


def changes():
    """How many rows were written, inserted or deleted so far."""
    return sum(on_each_connection(lambda connection: connection.total_changes))


@contextmanager
def traced():
    """Inside the block: every statement that either connection runs, its parameters filled in."""
    statements = []
    on_each_connection(lambda connection: connection.set_trace_callback(statements.append))
    statements.clear()  # of the transaction that set it
    try:
        yield statements
    finally:
        on_each_connection(lambda connection: connection.set_trace_callback(None))


def plans(work):
    """The query plan of each statement in ``work()``: statement → lines of its plan."""
    with traced() as statements:
        work()
    return {
        statement: [row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in statements
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    }


def steps(work):
    """How many instructions SQLite runs for ``work()``, rounded down slightly."""
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    on_each_connection(lambda connection: connection.set_progress_handler(count, STEPS_PER_CALL))
    try:
        work()
    finally:
        on_each_connection(lambda connection: connection.set_progress_handler(None, 0))
    return calls * STEPS_PER_CALL
