"""What do the pages send, before a browser runs anything?"""

import re
from gzip import decompress
from html.parser import HTMLParser

import pytest

from app import web
from app.layout import PROJECT
from app.web import NAMES, POLICY, TYPES
from tests.posting import post_camera
from tests.problems import assert_problem

STATIC = PROJECT / "app" / "static"
PAGES = ("/", "/events", "/storage", "/notifications", "/homeassistant")
HOSTILE = "<img src=x onerror=alert(1)>\"'&"


class Markup(HTMLParser):
    """What a page is made of: every start tag with its attributes, and all texts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def wall_of(client, query=""):
    """The list on the wall, and the page's notices about its address."""
    page = Markup(client.get(f"/{query}").text)
    said = " ".join(page.texts)
    return next(a for a in page.attributes("ul") if a.get("id") == "wall"), said


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_that_no_cache_keeps_and_no_page_frames(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert client.head(path).status_code == 200


def test_the_policy_forbids_inline_code_and_other_hosts():
    directives = dict(directive.strip().split(" ", 1) for directive in POLICY.split(";"))
    assert directives.pop("default-src") == "'none'"
    assert directives.pop("img-src") == "'self' blob:"
    assert set(directives.values()) == {"'self'", "'none'", "'script'"}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_no_script_style_or_handler_of_its_own(client, camera, path):
    page = Markup(client.get(path).text)
    assert all(attributes.get("src") for attributes in page.attributes("script"))
    assert not page.attributes("style")
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("path", PAGES)
def test_everything_that_a_page_names_is_there(client, path):
    tags = Markup(client.get(path).text).tags
    named = {a.get("src") or a.get("href") for _, a in tags if "src" in a or "href" in a}
    paths = {url for url in named if not url.startswith("#")}
    assert len(paths) >= 8
    for url in paths:
        assert url.startswith("/")
        assert not url.startswith("//")
        assert client.get(url).status_code == 200, url


def test_no_file_names_another_host_or_makes_markup_of_text():
    for name in NAMES:
        text = (STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[\w-]+[.:]", text), name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        )


def test_the_table_names_every_file_and_each_is_short():
    assert sorted(NAMES) == sorted(path.name for path in STATIC.iterdir())
    for name in NAMES:
        text = (STATIC / name).read_text()
        assert len(text.splitlines()) <= 150, name
        longest = max(map(len, text.splitlines()))
        assert longest <= (220 if name == "icon.svg" else 100), name
        assert text.startswith(("/** ", "/* ", "<svg ")), name


def test_a_file_is_kept_for_ever_under_the_address_of_its_version(client):
    version = web.assets().version
    for name in NAMES:
        answer = client.get(f"/static/{version}/{name}")
        assert answer.data == (STATIC / name).read_bytes()
        assert answer.mimetype == TYPES[name.rpartition(".")[2]]
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        known = {"If-None-Match": answer.headers["ETag"]}
        assert client.get(f"/static/{version}/{name}", headers=known).status_code == 304


def test_a_file_is_compressed_for_a_client_that_accepts_gzip(client):
    version = web.assets().version
    for name in NAMES:
        url = f"/static/{version}/{name}"
        packed = client.get(url, headers={"Accept-Encoding": "gzip, deflate, br"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert decompress(packed.data) == (STATIC / name).read_bytes()
        plain = client.get(url, headers={"Accept-Encoding": "gzip;q=0, identity"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert packed.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["0123456789abcdef/wall.js", "VERSION/nothing.js", "VERSION/..%2fweb.py", "wall.js"]
)
def test_another_version_or_name_is_not_found(client, path):
    version = web.assets().version
    answer = client.get(f"/static/{path.replace('VERSION', version)}")
    assert_problem(answer, 404, "not_found")


def test_the_wall_names_its_cameras_before_any_script_runs(client):
    named = ["10", "Attic", "attic", "garden 2", "Garden 10", "Zoo"]
    for name in reversed(named):
        post_camera(client, name)
    page = Markup(client.get("/").text)
    names = [text for text in page.texts if text.lower() in map(str.lower, named)]
    assert names == ["10", "attic", "Attic", "garden 2", "Garden 10", "Zoo"]
    pictures = [a["src"] for a in page.attributes("img")]
    ids = [a["data-id"] for a in page.attributes("li") if a.get("data-id")]
    assert pictures == [f"/api/cameras/{i}/snapshot?disposition=inline" for i in ids]


def test_a_hostile_name_stays_text(client):
    camera = post_camera(client, HOSTILE)
    for path in ("/", "/events", f"/cameras/{camera['id']}"):
        answer = client.get(path).text
        assert HOSTILE not in answer
        assert HOSTILE in Markup(answer).texts


def test_without_a_camera_the_wall_says_what_to_do_first(client, base):
    shown = '<section id="empty">'
    assert shown in client.get("/").text
    post_camera(client)
    assert shown not in client.get("/").text


def test_the_wall_follows_the_parameters_of_its_address(client):
    wall, said = wall_of(client, "?refresh=3&stale=60&columns=4&order=age")
    wishes = {name: wall[f"data-{name}"] for name in ("refresh", "stale", "columns", "order")}
    assert wishes == {"refresh": "3", "stale": "60", "columns": "4", "order": "age"}
    assert "not used" not in said
    wall, said = wall_of(client)
    assert (wall["data-refresh"], wall["data-stale"], wall["data-order"]) == ("10", "600", "name")
    assert "data-columns" not in wall
    assert "not used" not in said


def test_the_title_and_the_rate_of_the_wall_are_settings_of_the_box(client):
    assert "<title>Wall " in client.get("/").text
    client.patch("/api/settings", json={"wall_title": "At <home>", "wall_refresh_seconds": 30})
    assert "<title>At &lt;home&gt; " in client.get("/").text
    assert wall_of(client)[0]["data-refresh"] == "30"
    assert wall_of(client, "?refresh=5")[0]["data-refresh"] == "5"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("refresh=0", "Give a whole number from 1 to 3600."),
        ("refresh=1e1", "Give a whole number from 1 to 3600."),
        ("refresh=", "Give a whole number from 1 to 3600."),
        ("stale=-1", "Give a whole number from 1 to 10000000."),
        ("columns=13", "Give a whole number from 1 to 12."),
        ("order=size", "Give name or age."),
        ("kiosk=yes", "Give 0 or 1."),
        ("refesh=5", "There is no such parameter."),
        ("refresh=5&refresh=6", "Give it once."),
        ("order=%3Cb%3E%00", "Give name or age."),
    ],
)
def test_an_invalid_parameter_is_reported_and_ignored(client, query, sentence):
    wall, said = wall_of(client, f"?{query}&columns=2" if "columns" not in query else f"?{query}")
    assert "not used" in said
    assert sentence in said
    assert (wall["data-refresh"], wall["data-order"]) == ("10", "name")
    assert wall.get("data-columns") == (None if "columns" in query else "2")
    assert 'class="kiosk"' not in client.get(f"/?{query}").text


def test_a_kiosk_has_nothing_to_click(client, camera):
    page = client.get("/?kiosk=1").text
    wall = Markup(page[page.index('id="wall"') :])
    assert 'class="kiosk"' in page
    assert not wall.attributes("a")
    assert camera["name"] in wall.texts


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("camera_id=1", "Give a camera's id."),
        ("risk_level=huge", "Give low or medium or high or critical."),
        ("reviewed=1", "Give true or false."),
        ("day=2025-02-30", "Give a day as 2025-12-23."),
        ("day=20250230", "Give a day as 2025-12-23."),
        ("limit=5", "There is no such parameter."),
    ],
)
def test_an_invalid_filter_is_reported_on_the_page(client, query, sentence):
    said = " ".join(Markup(client.get(f"/events?{query}").text).texts)
    assert "not used" in said
    assert sentence in said


def test_the_events_page_begins_with_the_filters_of_its_address(client, camera):
    query = f"camera_id={camera['id']}&risk_level=high&reviewed=false&day=2025-12-23"
    page = Markup(client.get(f"/events?{query}").text)
    chosen = [a["value"] for a in page.attributes("option") if "selected" in a]
    assert chosen == [camera["id"], "high", "false"]
    assert page.attributes("input")[0]["value"] == "2025-12-23"


def test_the_filter_of_a_deleted_camera_does_not_select_all_cameras(client, camera):
    gone = "6753c09e-c4ba-4ab4-8458-c3f3b4c12b3a"
    page = Markup(client.get(f"/events?camera_id={gone}").text)
    assert [a["value"] for a in page.attributes("option") if "selected" in a] == [gone]
    assert "a deleted camera" in page.texts
    page = Markup(client.get(f"/events?camera_id={camera['id']}").text)
    assert "a deleted camera" not in page.texts


def test_urls_that_are_no_pages_still_send_problems(client):
    assert_problem(client.get("/wall"), 404, "not_found")
    answer = client.post("/")
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))


def day_of(client, camera, query=""):
    """The attributes of a camera's day, and the page's texts."""
    page = Markup(client.get(f"/cameras/{camera['id']}{query}").text)
    return next(a for a in page.attributes("div") if a.get("id") == "day"), " ".join(page.texts)


def test_the_day_of_a_camera_is_in_the_time_zone_of_the_box(client, camera):
    client.patch("/api/settings", json={"timezone": "Asia/Kolkata", "wall_refresh_seconds": 30})
    day, said = day_of(client, camera)
    assert (day["data-camera"], day["data-zone"]) == (camera["id"], "Asia/Kolkata")
    assert day["data-refresh"] == "30"
    assert "Asia/Kolkata" in said
    page = client.get(f"/cameras/{camera['id']}")
    assert page.headers["Content-Security-Policy"] == POLICY
    assert Markup(page.text).attributes("script")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("day=2025-02-30", "Give a day as 2025-12-23."),
        ("at=2025-12-23T03:12:00", "Give a time of RFC 3339 with Z or an offset."),
        ("picture=%3Cb%3E", "Give a picture's id."),
        ("time=03:12", "There is no such parameter."),
    ],
)
def test_a_day_that_cannot_be_shown_is_reported_on_the_page(client, camera, query, sentence):
    said = day_of(client, camera, f"?{query}")[1]
    assert "not used" in said
    assert sentence in said
    assert "not used" not in day_of(client, camera, "?at=2025-12-23T03:12:00%2B01:00")[1]


def test_there_is_no_page_of_a_camera_that_does_not_exist(client):
    gone = "/cameras/6753c09e-c4ba-4ab4-8458-c3f3b4c12b3a"
    assert_problem(client.get(gone), 404, "camera_not_found")
    assert_problem(client.get("/cameras/front"), 404, "not_found")


def test_the_page_about_home_assistant_shows_the_address_and_how_to_make_a_token(client):
    shown = Markup(client.get("/homeassistant", base_url="http://nvr.local:8000").text)
    address = "http://nvr.local:8000/api/homeassistant"
    assert "/api/homeassistant" in [link.get("href") for link in shown.attributes("a")]
    assert address in shown.texts
    assert any(text.endswith("tokens create homeassistant --role read") for text in shown.texts)
    assert f'curl --header "Authorization: Bearer TOKEN" {address} > nvr.yaml' in shown.texts
