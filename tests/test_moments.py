"""Do uploads that follow each other closely make one moment, cut where it grows too long?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.clock import HOUR_US, SECOND_US
from app.pictures.moments import Moment, group

GAP_US = 60 * SECOND_US


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def uploads(*times_us, clips=()):
    """Newest first, as a list of them is read."""
    ordered = sorted(times_us, reverse=True)
    return [(time_us, b"%d" % n, time_us in clips, None) for n, time_us in enumerate(ordered)]


def times(moment):
    return [upload[0] for upload in moment.uploads]


def test_uploads_belong_together_up_to_the_gap_and_not_beyond():
    first, second = 5 * HOUR_US, 5 * HOUR_US + GAP_US
    found = list(group(uploads(first, second, second + GAP_US + 1), GAP_US, UTC))
    assert [times(moment) for moment in found] == [[second + GAP_US + 1], [second, first]]
    assert not any(moment.continuous for moment in found)


def test_without_uploads_there_is_no_moment():
    assert list(group([], GAP_US, UTC)) == []


def test_a_run_of_an_hour_is_one_moment_and_a_longer_one_is_cut_at_full_hours():
    begin = 5 * HOUR_US + HOUR_US // 2
    hour = range(begin, begin + HOUR_US + 1, GAP_US)
    [whole] = group(uploads(*hour), GAP_US, UTC)
    assert len(whole.uploads) == 61
    assert not whole.continuous
    late, early = group(uploads(*hour, begin + HOUR_US + 1), GAP_US, UTC)
    assert early.continuous
    assert late.continuous
    assert early.end_us < 6 * HOUR_US <= late.start_us
    assert (len(early.uploads), len(late.uploads)) == (30, 32)


def test_full_hours_are_those_of_the_zone_also_where_they_begin_at_half_past():
    kolkata = ZoneInfo("Asia/Kolkata")
    begin = us(datetime(2025, 12, 23, 10, 0, tzinfo=kolkata))
    found = list(group(uploads(*range(begin, begin + 3 * HOUR_US, GAP_US)), GAP_US, kolkata))
    starts = [datetime.fromtimestamp(each.start_us / SECOND_US, kolkata) for each in found]
    assert [(start.hour, start.minute) for start in starts] == [(12, 0), (11, 0), (10, 0)]


def test_the_cover_is_the_middle_picture_of_two_the_older_and_a_clip_only_among_clips():
    found = uploads(1, 2, 3, 4)
    assert Moment(found, False).middle()[0] == 2
    assert Moment(uploads(1, 2, 3, 4, clips={2, 3}), False).middle()[0] == 1
    assert Moment(uploads(1, 2, 3, clips={1, 2, 3}), False).middle()[0] == 2


def test_the_nearest_picture_is_the_older_of_two_that_are_equally_near():
    moment = Moment(uploads(10, 20, 30, clips={30}), False)
    assert moment.nearest(15)[0] == 10
    assert moment.nearest(16)[0] == 20
    assert moment.nearest(99)[0] == 20
    assert (moment.distance(5), moment.distance(25), moment.distance(33)) == (5, 0, 3)
    assert (moment.start_us, moment.end_us, moment.clips) == (10, 30, 1)


@given(st.lists(st.integers(0, 30 * HOUR_US // GAP_US), unique=True), st.integers(1, 4))
def test_the_moments_hold_every_upload_once_and_keep_the_rules(steps, gap):
    given_uploads = uploads(*(step * GAP_US for step in steps))
    found = list(group(given_uploads, gap * GAP_US, UTC))
    assert [upload for moment in found for upload in moment.uploads] == given_uploads
    for moment in found:
        assert all(a - b <= gap * GAP_US for a, b in pairwise(times(moment)))
        assert moment.end_us - moment.start_us <= HOUR_US
        if moment.continuous:
            assert moment.end_us // HOUR_US == moment.start_us // HOUR_US
    for newer, older in pairwise(found):
        is_cut = newer.start_us - older.end_us <= gap * GAP_US
        assert not is_cut or (newer.continuous and older.continuous)
