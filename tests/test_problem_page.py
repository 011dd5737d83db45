"""Does a browser that asks for a page get one that says what is wrong and what to do?"""

from base64 import b64encode
from hashlib import sha256

import pytest

from app import create_app, db
from app.problems import PROBLEMS
from tests.problems import assert_problem
from tests.test_web import Markup

# What browsers send with an address that a person typed.
TYPED = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ("/", "/events", "/docs")
SENTENCE = PROBLEMS["database_unavailable"].detail


@pytest.fixture
def broken(client):
    """A client whose service finds a database of a newer version."""
    db.database.execute_sql("UPDATE schema_migration SET name = '0099_later' WHERE id = 1")
    db.close_all()
    return client


def texts_of(answer):
    return " ".join(Markup(answer.text).texts)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_database_says_what_is_wrong_and_what_to_do(broken, path):
    answer = broken.get(path, headers=TYPED)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    said = texts_of(answer)
    for text in (SENTENCE, "flask --app wsgi doctor", "database_unavailable"):
        assert text in said
    assert "Refresh" not in answer.headers
    assert "reloads" not in said


def test_a_kiosk_loads_the_page_again_until_there_is_something_to_show(broken):
    answer = broken.get("/?kiosk=1&columns=3", headers=TYPED)
    assert answer.headers["Refresh"] == "30"
    assert "reloads every 30 seconds" in texts_of(answer)


def test_the_page_loads_no_other_file_and_its_policy_allows_only_its_style(broken):
    answer = broken.get("/", headers=TYPED)
    page = Markup(answer.text)
    named = [a.get("src") or a.get("href") for _, a in page.tags if "src" in a or "href" in a]
    assert named == ["data:,", "", "/api/system/health"]
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert not page.attributes("script")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json", ""])
def test_a_client_that_does_not_ask_for_html_gets_problem_json(broken, accept):
    answer = broken.get("/", headers={"Accept": accept})
    assert_problem(answer, 503, "database_unavailable")


@pytest.mark.parametrize(
    ("path", "code"), [("/api/events/1", "event_not_found"), ("/wall", "not_found")]
)
def test_browsers_get_problem_json_outside_the_pages(client, path, code):
    assert_problem(client.get(path, headers=TYPED), 404, code)


def test_a_request_without_a_token_gets_the_command_that_makes_one(environ):
    client = create_app(environ | {"NVR_ANONYMOUS": "none"}).test_client()
    answer = client.get("/", headers=TYPED)
    assert answer.status_code == 401
    assert answer.headers.getlist("WWW-Authenticate")[0].startswith("Basic ")
    said = texts_of(answer)
    assert "flask --app wsgi tokens create NAME --role read" in said
    assert "doctor" not in said
    assert "Refresh" not in client.get("/?kiosk=1", headers=TYPED).headers


def test_an_unknown_host_gets_the_setting_that_allows_it(client):
    answer = client.get("/", headers=TYPED | {"Host": "evil.com"})
    assert answer.status_code == 421
    assert "add the name to NVR_TRUSTED_HOSTS" in texts_of(answer)


def test_the_page_of_an_unforeseen_failure_shows_no_details(client, monkeypatch):
    monkeypatch.setattr("app.services.cameras.list_cameras", lambda: 1 / 0)
    answer = client.get("/", headers=TYPED)
    assert answer.status_code == 500
    said = texts_of(answer)
    assert PROBLEMS["internal_error"].detail in said
    assert "division" not in said
