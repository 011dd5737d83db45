"""Which requests are accepted: every route, with every method, with and without a token?"""

import base64
import re
import warnings
from itertools import product
from random import Random

import pytest

from app import create_app
from app.access.authorize import READING
from app.models import AuditEntry, Token
from app.services import tokens
from app.services.audit import Caller
from app.services.tokens import usage
from tests import effort
from tests.conftest import JSON
from tests.pictures import picture, put
from tests.problems import assert_problem

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "SEARCH")
# For each variable of a route a value that nothing has, so that no request changes anything.
NOTHING = {
    "camera_id": "123e4567-e89b-12d3-a456-426614174000",
    "name": "swagger-ui.css",
}
# The endpoints of pictures, which programs show that can only be given a URL.
PICTURES = (
    "cameras.get_camera_snapshot",
    "detections.get_detection_image",
    "pictures.get_picture",
)
WRONG = f"nvr_{'A' * 43}"


def basic(password, user="anybody"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def secrets(app):
    """The tokens of a reader and of a writer, by role."""
    names = {"read": "the reader", "write": "the writer"}
    return {role: tokens.create(names[role], role, Caller("cli"))[1] for role in tokens.ROLES}


@pytest.fixture
def anonymous(environ, app):
    """A client of the same service under this NVR_ANONYMOUS."""
    made = []

    def client(policy):
        made.append(create_app(environ | {"NVR_ANONYMOUS": policy}))
        return made[-1].test_client()

    yield client
    for other in made:
        other.extensions["folders"].retain(())


@pytest.fixture
def closed(anonymous):
    """A client of a service that refuses every request without a token."""
    return anonymous("none")


def urls(app):
    """Every URL of the app with the endpoint that it leads to, and one that leads nowhere."""
    for rule in app.url_map.iter_rules():
        values = {name: NOTHING.get(name, "4711") for name in rule.arguments}
        yield re.sub(r"<[^<>]*?(\w+)>", "{\\1}", rule.rule).format(**values), rule.endpoint
    yield "/nonsense", None


def ask(client, path, method, **headers):
    with warnings.catch_warnings():
        # Werkzeug closes the file of an answer to HEAD only with the last reference to it.
        warnings.simplefilter("ignore", ResourceWarning)
        sent = {"headers": headers, "data": "{}", "content_type": JSON}
        with client.open(path, method=method, **sent) as answer:
            answer.get_data()
    return answer


def is_refused(answer):
    """The code of the problem if the authorizer, not the view, refuses the request."""
    assert answer.status_code < 500
    if answer.status_code == 401:
        challenges = answer.headers.getlist("WWW-Authenticate")
        assert [challenge.split()[0] for challenge in challenges] == ["Basic", "Bearer"]
        return "unauthorized"
    is_problem = answer.content_type == "application/problem+json" and answer.get_data()
    return "forbidden" if is_problem and answer.get_json()["code"] == "forbidden" else None


def expected(who, method, endpoint):
    """The code of the problem that is expected, or None.

    ``who``: the token that is sent, and the rights that it gives.
    """
    shows, may = who
    needed = "read" if method in READING else "write"
    if endpoint == "system.get_alive" and needed == "read":
        return None
    if shows == "a wrong token" or (shows == "nothing" and needed not in may):
        return "unauthorized"
    return None if needed in may else "forbidden"


def test_every_route_and_method_accepts_exactly_the_tokens_that_have_the_right(
    app, secrets, anonymous, subtests
):
    clients = {policy: anonymous(policy) for policy in ("write", "read", "none")}
    may = {"write": ("read", "write"), "read": ("read",), "none": ()}
    shown = {**secrets, "no": WRONG}
    # Each request with a token draws a policy and a way to send the token, the same in each run.
    ways, random = [*product(clients, ("Bearer {}".format, basic))], Random(1)
    for path, endpoint in urls(app):
        with subtests.test(path=path):
            for method in METHODS:
                for policy, client in clients.items():
                    answer = ask(client, path, method)
                    wanted = expected(("nothing", may[policy]), method, endpoint)
                    # A HEAD has no body that could say which 403 it is.
                    assert is_refused(answer) == wanted, (policy, method)
                for role, secret in shown.items():
                    shows = "a token" if role in secrets else "a wrong token"
                    policy, header = random.choice(ways)
                    sent = header(secret)
                    answer = ask(clients[policy], path, method, Authorization=sent)
                    wanted = expected((shows, may.get(role, ())), method, endpoint)
                    assert is_refused(answer) == wanted, (policy, role, method, sent)


def test_the_tested_urls_cover_every_route(app):
    asked = [endpoint for _, endpoint in urls(app)]
    assert set(asked) == {rule.endpoint for rule in app.url_map.iter_rules()} | {None}
    assert len(asked) > 20
    adapter = app.url_map.bind("localhost")
    methods = {rule.endpoint: rule.methods for rule in app.url_map.iter_rules()}
    for path, endpoint in urls(app):
        if endpoint:
            (method,) = methods[endpoint] - {"HEAD", "OPTIONS"}
            assert adapter.match(path, method=method)[0] == endpoint


@pytest.mark.parametrize("role", tokens.ROLES)
def test_a_token_in_the_query_string_is_accepted_for_pictures_only(
    app, secrets, closed, role, subtests
):
    accepted = set()
    for path, endpoint in urls(app):
        with subtests.test(path=path):
            answer = ask(closed, f"{path}?token={secrets[role]}", "GET")
            if is_refused(answer) is None and endpoint != "system.get_alive":
                accepted.add(path)
    assert accepted == {path for path, endpoint in urls(app) if endpoint in PICTURES}


@pytest.mark.parametrize("role", tokens.ROLES)
def test_a_token_in_the_query_string_is_accepted_for_reading_only(
    app, secrets, closed, role, subtests
):
    for path, endpoint in urls(app):
        with subtests.test(path=path):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = ask(closed, f"{path}?token={secrets[role]}", method)
                assert endpoint == "system.get_alive" or is_refused(answer), method


@pytest.mark.parametrize("kind", ["snapshot", "picture", "clip"])
def test_a_picture_is_served_for_a_token_in_its_query_string(
    client, closed, camera, base, secrets, kind
):
    put(base / "front" / ("a.mp4" if kind == "clip" else "a.jpg"), picture())
    listed = client.get(f"/api/cameras/{camera['id']}/pictures").json["pictures"]
    name = "snapshot" if kind == "snapshot" else f"pictures/{listed[0]['id']}"
    url = f"/api/cameras/{camera['id']}/{name}"
    for query in (f"token={secrets['read']}", f"max_age=99&%74oken={secrets['read']}&t=1"):
        with closed.get(f"{url}?{query}") as answer:
            assert (answer.status_code, answer.data) == (200, picture())
        assert closed.head(f"{url}?{query}").status_code == 200
    for query in (
        *(f"token={WRONG}", "token=", "token", f"Token={secrets['read']}", "x=1"),
        *(f"token={secrets['read']}&token={secrets['read']}", f"token={secrets['read']}%00"),
        f"token=%20{secrets['read']}",
    ):
        assert_problem(closed.get(f"{url}?{query}"), 401, "unauthorized")
    header = {"Authorization": f"Bearer {WRONG}"}
    refused = closed.get(f"{url}?token={secrets['read']}", headers=header)
    assert_problem(refused, 401, "unauthorized")


def test_a_wrong_token_is_refused_where_no_token_is_needed(client, camera):
    url = f"/api/cameras/{camera['id']}/snapshot"
    assert_problem(client.get(f"{url}?token={WRONG}"), 401, "unauthorized")
    for header in (
        *(f"Bearer {WRONG}", basic(WRONG), "", " ", "Bearer", "Bearer ", "Basic", "Basic =", "x"),
        *("Basic bm9jb2xvbg==", "Digest username=x", "Negotiate YII=", WRONG, "Basic \xff\xfe"),
        *(f"Bearer token={WRONG}", f"Token {WRONG}", "Bearer " + "x" * 2_000),
    ):
        answer = client.get("/api/cameras", headers={"Authorization": header})
        assert_problem(answer, 401, "unauthorized")
    assert client.get("/api/cameras").status_code == 200
    answer = client.get("/health", headers={"Authorization": f"Bearer {WRONG}"})
    assert answer.get_json() == {"status": "alive"}


@pytest.mark.parametrize(
    "header",
    [
        "Bearer {}",
        "bearer {}",
        "BEARER {}",
        "Bearer  {}",
        lambda secret: basic(secret),
        lambda secret: basic(secret, user=""),
        lambda secret: basic(secret, user="Tür ✓"),
        lambda secret: basic(secret).replace("Basic", "basic"),
    ],
)
def test_a_token_is_accepted_in_each_form_of_the_authorization_header(closed, secrets, header):
    shown = header.format(secrets["read"]) if isinstance(header, str) else header(secrets["read"])
    answer = closed.get("/api/cameras", headers={"Authorization": shown})
    assert answer.get_json() == {"cameras": [], "count": 0}


def test_a_change_with_a_reading_token_is_403_and_changes_nothing(client, camera, secrets):
    headers = {"Authorization": f"Bearer {secrets['read']}"}
    before, entries = client.get("/api/cameras").get_json(), AuditEntry.select().count()
    url = f"/api/cameras/{camera['id']}"
    for answer in (
        client.post("/api/cameras", json={"name": "a", "folder_path": "b"}, headers=headers),
        client.patch(url, json={"name": "a"}, headers=headers),
        client.delete(url, headers=headers),
        client.post("/api/detections", json={}, headers=headers),
    ):
        assert_problem(answer, 403, "forbidden")
        assert "WWW-Authenticate" not in answer.headers
    assert client.get("/api/cameras").get_json() == before
    assert AuditEntry.select().count() == entries


def test_the_audit_log_names_the_token_and_never_shows_it(closed, secrets):
    secret = secrets["write"]
    headers = {"Authorization": f"Bearer {secret}", "User-Agent": f"{'x' * 480} {secret}"}
    body = {"name": f"my {secret}", "folder_path": "front"}
    made = closed.post("/api/cameras", json=body, headers=headers)
    assert made.status_code == 201
    log = closed.get("/api/audit", headers=headers).get_json()["entries"]
    assert (log[0]["action"], log[0]["actor"]) == ("camera_created", "the writer")
    assert secret[:8] not in str(log)
    assert log[0]["resource_name"] == "my nvr_(hidden)"
    assert log[0]["user_agent"].endswith("x nvr_(hidden)")


def test_an_error_never_shows_a_token(client, secrets):
    secret = secrets["write"]
    for path in ("/api/cameras", "/health", "/api/events", "/api/events/stats"):
        for query in (
            *(f"token={secret}", f"{secret}=1", f"x={secret}", f"status={secret}", f"{secret}"),
            *(f"{secret}=1&{secret}=2", f"{'x' * 90}{secret}=1", f"limit={secret}"),
            f"start_date={secret}&cursor={secret}&camera_id={secret}",
        ):
            answer = client.get(f"{path}?{query}")
            assert answer.status_code == 422, (path, query)
            assert secret[:8] not in answer.text
    for body in (
        {secret: 1},
        {"name": 1, "x": {secret: {secret: 1}}},
        {"status": secret},
        [secret],
    ):
        answer = client.post("/api/cameras", json=body)
        assert answer.status_code == 422
        assert secret[:8] not in answer.text
    for path in (f"/{secret}", f"/api/cameras/{secret}", f"/docs/{secret}"):
        assert secret[:8] not in client.get(path).text


def test_a_revoked_token_is_refused_from_the_next_request_on(app, closed, secrets):
    headers = {"Authorization": f"Bearer {secrets['read']}"}
    assert closed.get("/api/cameras", headers=headers).status_code == 200
    app.test_cli_runner().invoke(args=["tokens", "revoke", "the reader"])
    assert_problem(closed.get("/api/cameras", headers=headers), 401, "unauthorized")


def test_the_last_use_of_a_token_is_listed_once_it_is_written(client, closed, secrets):
    changes = effort.changes()
    assert (
        closed.get("/api/cameras", headers={"Authorization": basic(secrets["read"])}).status_code
        == 200
    )
    assert effort.changes() == changes
    usage.write()
    used = {token["name"]: token["last_used_at"] for token in Token.listing()}
    assert used["the reader"] > "2026"
    assert used["the writer"] is None


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 201),
        ({"NVR_HOST": "::1"}, 201),
        ({"NVR_HOST": "localhost"}, 201),
        ({"NVR_HOST": "127.1.2.3"}, 201),
        ({"NVR_HOST": "0.0.0.0"}, 401),
        ({"NVR_HOST": "::"}, 401),
        ({"NVR_HOST": "192.168.1.7"}, 401),
        ({"NVR_HOST": "nvr.local"}, 401),
        ({"NVR_TRUSTED_PROXIES": "127.0.0.1"}, 401),
        ({"NVR_HOST": "0.0.0.0", "NVR_ANONYMOUS": "write"}, 201),
        ({"NVR_ANONYMOUS": "none"}, 401),
    ],
)
def test_a_change_without_a_token_is_allowed_on_loopback_only(environ, app, settings, status):
    client = create_app(environ | settings).test_client()
    answer = client.post("/api/cameras", json={"name": "a", "folder_path": "b"})
    assert answer.status_code == status
