"""Is the configuration for Home Assistant valid YAML, and do its URLs work?"""

import io
from urllib.parse import urlsplit

import pytest
import yaml
from jinja2 import Environment
from PIL import Image

from app.services import homeassistant, tokens
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


@pytest.fixture
def get(client, camera):
    """Asks for the camera's configuration."""

    def ask(**options):
        return client.get(f"/api/cameras/{camera['id']}/homeassistant", **options)

    return ask


def entities(text):
    """The sensor's resource, the image, and the values for the form, which are in comments."""
    active = yaml.safe_load(text)
    assert list(active) == ["rest", "template"]
    form = text.partition("in a file.\n")[2].replace("\n# ", "\n").removeprefix("# ")
    return active["rest"][0], active["template"][0]["image"][0], yaml.safe_load(form)["camera"][0]


def rendered(template):
    """The text that Home Assistant renders a template as."""
    return Environment().from_string(template).render()


def test_the_configuration_is_yaml_that_is_not_cached(get):
    answer = get()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_example_of_the_description_is_what_the_service_makes():
    url = homeassistant.EXAMPLE_URL
    urls = homeassistant.Urls(url, f"{url}/snapshot")
    made = homeassistant.configuration(homeassistant.EXAMPLE_CAMERA, urls, None)
    assert made == homeassistant.EXAMPLE


def test_the_configuration_has_a_sensor_an_image_and_values_for_a_camera(get, camera):
    resource, image, generic = entities(get(base_url="http://nvr.local:8000").text)
    url = f"http://nvr.local:8000/api/cameras/{camera['id']}"
    assert resource == {
        "resource": url,
        "scan_interval": 30,
        "binary_sensor": [
            {
                "name": "Front Door",
                "unique_id": f"nvr_{camera['id']}_status",
                "device_class": "connectivity",
                "value_template": "{{ value_json.status == 'online' }}",
            }
        ],
    }
    assert image == {
        "name": "Front Door",
        "unique_id": f"nvr_{camera['id']}_image",
        "url": f"{url}/snapshot?placeholder=1",
    }
    assert generic == {
        "platform": "generic",
        "name": "Front Door",
        "still_image_url": f"{url}/snapshot?placeholder=1",
        "framerate": 0.1,
        "verify_ssl": False,
    }


def test_the_urls_answer_what_home_assistant_needs(client, base, camera, get):
    resource, image, generic = entities(get().text)
    sensor = Environment().from_string(resource["binary_sensor"][0]["value_template"])
    for status, shown in (("online", "True"), ("offline", "False"), ("error", "False")):
        client.patch(f"/api/cameras/{camera['id']}", json={"status": status})
        value = client.get(urlsplit(resource["resource"]).path).get_json()
        assert sensor.render(value_json=value) == shown
    for url in (image["url"], generic["still_image_url"]):
        shown = client.get(url, headers={"Accept": "*/*"})
        assert Image.open(io.BytesIO(shown.data)).format == "PNG"
    put(base / "front" / "a.jpg", picture())
    for url in (image["url"], generic["still_image_url"]):
        assert client.get(url).data == picture()


def test_the_urls_begin_like_that_of_the_request(get):
    for root in ("https://nvr.local", "http://[::1]:8000", "https://box.lan:8443"):
        resource, image, generic = entities(get(base_url=root).text)
        for url in (resource["resource"], image["url"], generic["still_image_url"]):
            assert url.startswith(f"{root}/api/cameras/")
        assert generic["verify_ssl"] == root.startswith("https")


def test_no_name_of_a_camera_acts_as_yaml_or_as_a_template(client, camera, get, subtests):
    for name in HOSTILE:
        with subtests.test(name):
            stored = client.patch(f"/api/cameras/{camera['id']}", json={"name": name}).get_json()
            resource, image, generic = entities(get().text)
            assert rendered(resource["binary_sensor"][0]["name"]) == stored["name"]
            assert rendered(image["name"]) == stored["name"]
            assert generic["name"] == stored["name"]


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
    resource, image, generic = entities(answer.text)
    assert resource["headers"] == {"Authorization": f"Bearer {secret}"}
    assert image["url"].endswith(f"/snapshot?placeholder=1&token={secret}")
    assert (generic["authentication"], generic["password"]) == ("basic", secret)
    assert generic["username"]
    assert secret not in generic["still_image_url"]


def test_without_a_token_the_configuration_has_none(get, secret):
    text = get().text
    assert secret not in text
    assert "Bearer" not in text
    assert "password" not in text


def test_an_unknown_camera_is_404(client):
    unknown = "/api/cameras/123e4567-e89b-12d3-a456-426614174000/homeassistant"
    assert_problem(client.get(unknown), 404, "camera_not_found")
