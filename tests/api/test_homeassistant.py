"""Is the configuration for Home Assistant valid YAML, and do its URLs work?"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml
from jinja2 import Environment

from app.services import tokens
from app.services.audit import Caller
from tests.pictures import picture, put
from tests.problems import assert_problem

HOSTILE = [
    "yes",
    "null",
    "1.50",
    "- a: b",
    "a: b # c",
    "!secret password",
    "&a *a",
    "'\"\\",
    "{{ states('x') }} {% raw %} {# x #} {{{",
    "a\u2028b\u2029c",
    "Tür \U0001f4f7 前門",
    "\ufeff\ufffe",
    "%YAML 1.1",
    "{a: [b",
    "x" * 255,
]


BOX = "/api/homeassistant"


@pytest.fixture
def get(client, camera):
    """Asks for the camera's configuration."""

    def ask(**options):
        return client.get(f"/api/cameras/{camera['id']}/homeassistant", **options)

    return ask


class Entities(NamedTuple):
    """What a configuration contains: the request, the entities, and the values of the forms."""

    resource: dict
    connections: list
    uploads: list
    images: list
    forms: list


def entities(text):
    """The entities of a configuration; the values of the forms are in its comments."""
    active = yaml.safe_load(text)
    assert list(active) == ["rest", "template"]
    (resource,), (template,) = active["rest"], active["template"]
    comments = text[text.index("# - name: ") :] if "# - name: " in text else "# []"
    forms = yaml.safe_load(comments.replace("\n# ", "\n").removeprefix("# "))
    sensors = resource.pop("binary_sensor"), resource.pop("sensor")
    return Entities(resource, *sensors, template["image"], forms)


def rendered(template, **values):
    """The text that Home Assistant renders a template as."""
    return Environment().from_string(template).render(**values)


def slugify(text):
    """Like Home Assistant's, but for the letters that are not ASCII."""
    return "_".join(re.findall("[a-z0-9]+", text.lower()))


def url_of(image, state="2025-12-23T12:00:00+00:00"):
    """The URL that Home Assistant fetches the image from."""
    return rendered(image["url"], states=lambda entity: state, slugify=slugify)


@pytest.mark.parametrize("url", [BOX, "/api/cameras/{}/homeassistant"])
def test_the_configuration_is_yaml_that_is_not_cached(client, camera, url):
    answer = client.get(url.format(camera["id"]))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_camera_has_two_sensors_an_image_and_values_for_a_form(get, camera):
    found = entities(get(base_url="http://nvr.local:8000").text)
    url = f"http://nvr.local:8000/api/cameras/{camera['id']}"
    assert found.resource == {"resource": url, "scan_interval": 30}
    assert found.connections == [
        {
            "name": "Front Door connection",
            "unique_id": f"nvr_{camera['id']}_status",
            "device_class": "connectivity",
            "value_template": "{{ (value_json | default({})).status == 'online' }}",
            "availability": "{{ (value_json | default({})).id is defined }}",
        }
    ]
    assert found.uploads == [
        {
            "name": "Front Door last upload",
            "unique_id": f"nvr_{camera['id']}_last_upload",
            "device_class": "timestamp",
            "value_template": "{{ (value_json | default({})).last_seen_at }}",
            "availability": "{{ (value_json | default({})).last_seen_at is string }}",
        }
    ]
    assert found.images == [
        {
            "name": "Front Door picture",
            "unique_id": f"nvr_{camera['id']}_image",
            "url": f"{url}/snapshot?placeholder=1"
            "&t={{ states('sensor.front_door_last_upload') }}",
            "availability": "{{ states('binary_sensor.front_door_connection') in ('on', 'off') }}",
        }
    ]
    assert found.forms == [
        {
            "name": "Front Door",
            "still_image_url": f"{url}/snapshot?placeholder=1",
            "advanced": {"framerate": 0.1, "verify_ssl": False},
        }
    ]


def test_one_request_for_the_list_feeds_the_sensors_of_all_cameras(client, base):
    assert entities(client.get(BOX).text) == Entities(
        {"resource": "http://localhost/api/cameras", "scan_interval": 30}, [], [], [], []
    )
    statuses = {"Front Door": "online", "Garage": "offline"}
    for name, status in statuses.items():
        client.post("/api/cameras", json={"name": name, "folder_path": name, "status": status})
    found = entities(client.get(BOX).text)
    listed = client.get(urlsplit(found.resource["resource"]).path).json
    assert [one["name"] for one in listed["cameras"]] == list(statuses)
    assert [
        rendered(sensor["value_template"], value_json=listed) for sensor in found.connections
    ] == ["True", "False"]
    for camera, image, form in zip(listed["cameras"], found.images, found.forms, strict=True):
        assert urlsplit(url_of(image)).path == f"/api/cameras/{camera['id']}/snapshot"
        assert form["name"] == camera["name"]


def test_the_sensors_follow_the_camera(client, camera, get):
    for url in (BOX, f"/api/cameras/{camera['id']}/homeassistant"):
        found = entities(client.get(url).text)
        (connection,), (upload,) = found.connections, found.uploads
        path = urlsplit(found.resource["resource"]).path
        for status, shown in (("online", "True"), ("offline", "False"), ("error", "False")):
            client.patch(f"/api/cameras/{camera['id']}", json={"status": status})
            value = client.get(path).get_json()
            assert rendered(connection["value_template"], value_json=value) == shown
            assert rendered(connection["availability"], value_json=value) == "True"
            assert rendered(upload["availability"], value_json=value) == "False"


def test_the_last_upload_is_shown_once_there_is_one(client, camera):
    seen = "2025-12-23T12:00:00.000000Z"
    row = camera | {"last_seen_at": seen}
    for url, value in (
        (BOX, {"cameras": [row]}),
        (f"/api/cameras/{camera['id']}/homeassistant", row),
    ):
        (upload,) = entities(client.get(url).text).uploads
        assert rendered(upload["availability"], value_json=value) == "True"
        assert rendered(upload["value_template"], value_json=value) == seen


@pytest.mark.parametrize(
    "answer",
    [
        {"value_json": {"type": "about:blank", "status": 401, "code": "unauthorized"}},
        {"value_json": {"cameras": [], "count": 0}},
        {"value_json": {"cameras": [{"id": "another", "status": "online"}]}},
        {"value_json": []},
        {"value_json": None},
        {"value": "<html>502 Bad Gateway</html>"},
    ],
)
def test_an_answer_without_the_camera_is_unavailable_and_not_disconnected(client, camera, answer):
    for url in (BOX, f"/api/cameras/{camera['id']}/homeassistant"):
        found = entities(client.get(url).text)
        for sensor in (*found.connections, *found.uploads):
            assert rendered(sensor["availability"], **answer) == "False", url


def test_the_image_and_the_form_show_a_jpeg_from_the_start(client, base, camera, get):
    found = entities(get().text)
    urls = (url_of(found.images[0]), found.forms[0]["still_image_url"])
    for url in urls:
        shown = client.get(url, headers={"Accept": "*/*"})
        assert "X-Snapshot-Placeholder" in shown.headers
        assert shown.mimetype == "image/jpeg"
    put(base / "front" / "a.jpg", picture())
    for url in urls:
        assert client.get(url).data == picture()


def test_the_image_changes_with_uploads_only_and_is_available_while_the_service_answers(get):
    (image,) = entities(get().text).images
    asked = []

    def states(entity):
        asked.append(entity)
        return "off" if entity.startswith("binary_sensor") else "2025-12-23T12:00:00+00:00"

    assert rendered(image["url"], states=states).endswith("&t=2025-12-23T12:00:00+00:00")
    assert rendered(image["availability"], states=states) == "True"
    assert rendered(image["availability"], states=lambda _: "unavailable") == "False"
    assert asked == ["sensor.front_door_last_upload", "binary_sensor.front_door_connection"]


def test_the_urls_begin_like_that_of_the_request(get):
    for root in ("https://nvr.local", "http://[::1]:8000", "https://box.lan:8443"):
        found = entities(get(base_url=root).text)
        still = found.forms[0]["still_image_url"]
        for url in (found.resource["resource"], found.images[0]["url"], still):
            assert url.startswith(f"{root}/api/cameras/")
        assert found.forms[0]["advanced"]["verify_ssl"] == root.startswith("https")


def test_no_name_of_a_camera_acts_as_yaml_or_as_a_template(client, camera, get, subtests):
    for name in HOSTILE:
        with subtests.test(name):
            stored = client.patch(f"/api/cameras/{camera['id']}", json={"name": name}).get_json()
            for text in (get().text, client.get(BOX).text):
                found = entities(text)
                for entity, role in (
                    (found.connections[0], "connection"),
                    (found.uploads[0], "last upload"),
                    (found.images[0], "picture"),
                ):
                    assert rendered(entity["name"]) == f"{stored['name']} {role}"
                assert found.forms[0]["name"] == stored["name"]
                url = urlsplit(url_of(found.images[0], "now"))
                assert url.path == f"/api/cameras/{camera['id']}/snapshot"
                assert url.query == "placeholder=1&t=now"


def test_a_name_beyond_latin_finds_its_sensor_by_the_function_of_home_assistant(
    client, camera, get
):
    for name, sensor in (
        ("Tür", "sensor.tur_last_upload"),
        ("Hof (Süd) 2.0", "sensor.hof_sud_2_0_last_upload"),
        ("前門's {{x}}", "sensor.<前門's {{x}} last upload>"),
        ("\U0001f4f7", "sensor.<\U0001f4f7 last upload>"),
    ):
        client.patch(f"/api/cameras/{camera['id']}", json={"name": name})
        (image,) = entities(get().text).images
        shown = rendered(image["url"], states=str, slugify="<{}>".format)
        assert shown.endswith(f"&t={sensor}")


def test_cameras_with_like_names_are_told_apart(client, base):
    def register(name):
        return client.post("/api/cameras", json={"name": name, "folder_path": "x"}).json["id"]

    like = [register(name) for name in ("Front Door", "front-door", "Frönt  Door")]
    register("Front Door 2")
    copied = register(f"Front Door ({like[0][:8]})")
    found = entities(client.get(BOX).text)
    names = [form["name"] for form in found.forms]
    assert names == [
        f"Front Door ({like[0][:8]})",
        f"front-door ({like[1][:8]})",
        f"Frönt  Door ({like[2][:8]})",
        "Front Door 2",
        f"Front Door ({like[0][:8]}) ({copied[:8]})",
    ]
    urls = {rendered(image["url"], states=str) for image in found.images}
    assert len(urls) == 5
    alone = entities(client.get(f"/api/cameras/{like[1]}/homeassistant").text)
    assert alone.connections[0]["name"] == f"front-door ({like[1][:8]}) connection"


@pytest.fixture
def secret(app):
    """A token that may read."""
    return tokens.create("ha", "read", Caller("cli"))[1]


@pytest.mark.parametrize("way", ["bearer", "basic"])
def test_the_token_of_the_request_is_in_the_configuration(get, way, secret):
    shown = {
        "bearer": {"headers": {"Authorization": f"Bearer {secret}"}},
        "basic": {"auth": ("anybody", secret)},
    }
    answer = get(**shown[way])
    found = entities(answer.text)
    assert found.resource["headers"] == {"Authorization": f"Bearer {secret}"}
    assert f"/snapshot?placeholder=1&token={secret}&t=" in found.images[0]["url"]
    (form,) = found.forms
    assert (form["advanced"]["authentication"], form["password"]) == ("basic", secret)
    assert form["username"]
    assert secret not in form["still_image_url"]


def test_without_a_token_the_configuration_has_none_and_says_how_to_make_one(get, secret):
    text = get(base_url="http://nvr.local:8000").text
    assert secret not in text
    found = entities(text)
    assert "headers" not in found.resource
    assert "password" not in found.forms[0]
    assert "tokens create homeassistant --role read" in text
    url = "http://nvr.local:8000/api/cameras/"
    assert f'curl --header "Authorization: Bearer TOKEN" {url}' in text
    assert "writes the image's URL into its log, with the token" in text


def test_an_unknown_camera_is_404(client):
    unknown = "/api/cameras/123e4567-e89b-12d3-a456-426614174000/homeassistant"
    assert_problem(client.get(unknown), 404, "camera_not_found")
