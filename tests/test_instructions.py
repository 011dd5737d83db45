"""Does a request cost more instructions than the baseline says?"""

import pytest

from benchmarks import instructions
from benchmarks.fixed_requests import YARDSTICK
from benchmarks.instructions import TOLERANCE, TOLERANCE_ELSEWHERE, conditions, excess

KNOWN = {YARDSTICK: 100.0, "one": 1000.0, "other": 2000.0}


@pytest.fixture(scope="module")
def counted():
    """The instructions of each request, and the same with a tenth more of them."""
    if not instructions.is_possible():
        pytest.skip("valgrind is not installed: nothing counts instructions")
    return instructions.measure()


@pytest.mark.slow
def test_no_request_costs_more_instructions_than_the_baseline_says(counted):
    """After an intended change of the cost: python -m benchmarks.instructions --renew."""
    try:
        known, same = instructions.baseline()
    except instructions.Incomparable as incomparable:
        pytest.skip(f"{incomparable}; --renew makes one")
    assert counted[0].keys() == known.keys()
    print("compared" if same else f"in multiples of the yardstick, for this is {conditions()}")
    assert excess(counted[0], known, same) == {}, "percent more than the baseline"


@pytest.mark.slow
def test_a_request_that_costs_a_tenth_more_is_noticed(counted):
    """Each request was counted again with a tenth more: 22 times instead of 20."""
    once, more = counted
    assert excess(more, once, same=True).keys() == once.keys()
    for name, request in more.items():
        if name != YARDSTICK:
            assert excess(once | {name: request}, once, same=False).keys() == {name}


def test_only_requests_above_the_tolerance_are_reported():
    assert excess(KNOWN, KNOWN, same=True) == {}
    within = {name: n * (1 + (TOLERANCE - 0.1) / 100) for name, n in KNOWN.items()}
    assert excess(within, KNOWN, same=True) == {}
    more = KNOWN | {"one": 1000 * (1 + (TOLERANCE + 0.1) / 100)}
    assert excess(more, KNOWN, same=True) == {"one": pytest.approx(TOLERANCE + 0.1)}
    assert excess({name: n / 2 for name, n in KNOWN.items()}, KNOWN, same=True) == {}


def test_under_other_conditions_counts_are_relative_to_the_yardstick():
    twice = {name: 2 * n for name, n in KNOWN.items()}
    assert excess(twice, KNOWN, same=False) == {}
    assert set(excess(twice, KNOWN, same=True)) == set(KNOWN)
    more = twice | {"one": 2000 * (1 + (TOLERANCE_ELSEWHERE + 0.1) / 100)}
    assert excess(more, KNOWN, same=False) == {"one": pytest.approx(TOLERANCE_ELSEWHERE + 0.1)}
    assert TOLERANCE < TOLERANCE_ELSEWHERE < 10


def test_a_new_request_without_a_baseline_is_an_error():
    with pytest.raises(KeyError, match="new"):
        excess(KNOWN | {"new": 1.0}, KNOWN, same=True)


def test_the_baseline_of_another_python_is_not_used(monkeypatch):
    monkeypatch.setattr(instructions, "kind", lambda: "Python 2.7 on m68k")
    with pytest.raises(instructions.Incomparable, match=r"is of Python 3\.\d+ on .*2\.7 on m68k"):
        instructions.baseline()
