"""How many threads may wait for one part of the storage?"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.storage import mount_threads
from app.storage.mount_threads import ConcurrencyLimit, FolderBusy


@pytest.fixture
def limit():
    """Two threads for each folder."""
    return ConcurrencyLimit(2)


def test_a_folder_gets_no_more_threads_than_the_limit(limit, monkeypatch):
    monkeypatch.setattr(mount_threads, "SLOT_SECONDS", 0)
    with limit.slot("a"), limit.slot("a"), limit.slot("b"):
        with pytest.raises(FolderBusy), limit.slot("a"):
            pass
        with limit.slot("b"):
            pass
    with limit.slot("a"), limit.slot("a"):
        pass


def test_a_query_that_fails_gives_its_thread_back(limit):
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.slot("a"):
            raise ZeroDivisionError


def test_a_short_query_waits_for_the_one_before_it(limit, monkeypatch):
    monkeypatch.setattr(mount_threads, "SLOT_SECONDS", 3)
    both_in, answers = threading.Barrier(3), []

    def hold():
        with limit.slot("a"):
            both_in.wait(30)
            time.sleep(0.01)

    with ThreadPoolExecutor(2) as pool:
        holding = [pool.submit(hold) for _ in range(2)]
        both_in.wait(30)
        with limit.slot("a"):
            answers.append("in time")
        assert [future.result() for future in holding] == [None, None]
    assert answers == ["in time"]


def test_after_a_query_that_waited_in_vain_the_next_is_refused_at_once(limit):
    def seconds_until_refused():
        began = time.monotonic()
        with pytest.raises(FolderBusy), limit.slot("a"):
            pass
        return time.monotonic() - began

    patience = mount_threads.SLOT_WAITS * mount_threads.SLOT_SECONDS
    with limit.slot("a"), limit.slot("a"):
        assert seconds_until_refused() >= patience
        assert min(seconds_until_refused() for _ in range(10)) < patience / 2
    with limit.slot("a"), limit.slot("a"):
        assert seconds_until_refused() >= patience
