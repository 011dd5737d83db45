"""Does a job run again and again, also after it has failed?"""

import errno
import logging
import threading

from app.db import database
from app.services.jobs import Job


def test_a_job_that_fails_is_logged_counted_and_tried_again(app, caplog):
    calls, done = [], threading.Event()

    def work():
        calls.append(None)
        if len(calls) == 1:
            raise OSError("the folder is gone")
        done.set()

    job = Job("retention", 0.001, work)
    with caplog.at_level(logging.ERROR):
        job.start()
        assert done.wait(30)
        job.stop()
    assert job.failures == 1
    assert "retention failed; it tries again" in caplog.text


def test_failures_in_a_row_are_one_line_of_the_log_and_their_end_another(caplog):
    calls, done = [], threading.Event()

    def work():
        calls.append(None)
        if len(calls) in (2, 3, 4):
            raise OSError("the disk is full")
        if len(calls) == 6:
            done.set()

    job = Job("monitor", 0.001, work)
    with caplog.at_level(logging.INFO):
        job.start()
        assert done.wait(30)
        job.stop()
    assert job.failures == 3
    assert [record.message for record in caplog.records] == [
        "monitor failed; it tries again in 0.001 seconds",
        "monitor works again after 3 failures",
    ]


def test_a_stopped_job_ends_and_leaves_no_connection_open(app):
    worked, closed = threading.Event(), []

    def work():
        database.execute_sql("SELECT 1")
        worked.set()

    job = Job("count", 3600, work)
    original = job.run
    job.run = lambda: (original(), closed.append(database.is_closed()))
    job.start()
    assert worked.wait(30)
    job.stop()
    assert not job.is_alive()
    assert closed == [True]


def test_a_full_disk_is_logged_in_one_line(caplog):
    calls, done = [], threading.Event()

    def work():
        calls.append(None)
        if len(calls) == 2:
            done.set()
        raise OSError(errno.ENOSPC, "No space left on device")

    job = Job("index", 0.001, work)
    with caplog.at_level(logging.INFO):
        job.start()
        assert done.wait(30)
        job.stop()
    record = caplog.records[0]
    assert record.exc_info is None
    assert record.message.startswith("index failed ([Errno 28] No space left on device); it tries")
