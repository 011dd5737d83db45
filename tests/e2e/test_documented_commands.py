"""Do the commands in the README and in docs/ print what is shown? Each transcript is run again."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml

from tests.e2e.broker import MOSQUITTO, Mosquitto, Reader
from tests.e2e.documented_receivers import receivers
from tests.e2e.forked import ForkedServer
from tests.e2e.server import PROJECT
from tests.pictures import picture, put

DEADLINE_SECONDS = 60
# `$ ` and a command, its further lines indented by four, then its output.
COMMAND = re.compile(r"^\$ (.*(?:\n {4}.*)*)\n((?:(?!\$ |# ).+\n)*)", re.MULTILINE)
# Sets a variable to the id that the command before it printed.
KEEPING = re.compile(r"([A-Z]+)=[0-9a-f-]{36}")
TRANSCRIPT = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
[DEMO] = TRANSCRIPT.findall((PROJECT / "README.md").read_text())
TRANSCRIPTS = [
    pytest.param(text, id=f"{path.stem}: {text.splitlines()[0][:40]}")
    for path in sorted(PROJECT.glob("docs/*.md"))
    for text in TRANSCRIPT.findall(path.read_text())
]
# Lines that a receiver got, beside those that the command printed.
RECEIVED = re.compile(r"^(webhook|ntfy|mail)> ", re.MULTILINE)
MQTT = re.compile(r"^mqtt> (\S+) (.+)\n", re.MULTILINE)
# A block of commands without their output, which may stand in a list.
COMMANDS = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
DIFFERS = (
    (UUID, "UUID"),
    (r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", "TIME"),
    (r"20[2-9]\d-\d\d-\d\d \d\d:\d\d:\d\d \w+", "LOCAL TIME"),
    (r"\bNIGHT=\d{8}", "NIGHT=DAY"),
    (r"\b[0-9a-f]{20}-[0-9a-f]+\b", "PICTURE"),
    (r'"(size|bytes)":\d+', "SIZE"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"curl/[\d.]+", "curl/VERSION"),
    (r"nvr_[\w-]{43}", "TOKEN"),
    (r"msg_[0-9a-f]{32}", "MESSAGE"),
    (r"webhook-timestamp: \d+", "webhook-timestamp: TIME"),
    (r"v1,[\w+/=]+", "SIGNATURE"),
    (r"whsec_[\w+/=]+", "SECRET"),
    (r": [\d,]+ bytes", ": N bytes"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


def is_mqtt(transcript):
    return "mqtt> " in transcript.values[0]


def same(text: str) -> str:
    """``text`` with a placeholder for everything that differs from run to run."""
    for pattern, word in DIFFERS:
        text = re.sub(pattern, word, text)
    return text


def run(words, cwd=PROJECT, **environ):
    return subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    ).stdout


def test_the_transcript_of_the_readme_is_what_the_demo_prints(tmp_path):
    shown = run([sys.executable, "-m", "tests.demo"], TMPDIR=str(tmp_path))
    expected = DEMO
    if MOSQUITTO is None:
        shown, expected = (re.sub("mqtt> .+", "mqtt>", text) for text in (shown, expected))
    assert same(shown) == same(expected)


@pytest.fixture
def mqtt(tmp_path):
    """A broker's URL, and what reads from the broker."""
    if MOSQUITTO is None:
        pytest.skip("no mosquitto (apt-get install mosquitto)")
    with Mosquitto(tmp_path) as broker, Reader(broker.port) as reader:
        yield broker.url, reader


def output_of(command, expected, known, told):
    """What the command prints, and then what each receiver got that the transcript shows."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        printed = run(["bash", "-c", told.addressed(command)], **known)
        # A message is noted as delivered after its receiver has got it.
        is_early = "/api/deliveries" in command and same(printed) != same(expected)
        if not is_early or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for name in dict.fromkeys(RECEIVED.findall(expected)):
        printed += "".join(f"{name}> {line}\n" for line in told.next_lines(name))
    return printed


@pytest.mark.parametrize("transcript", [text for text in TRANSCRIPTS if not is_mqtt(text)])
def test_each_command_prints_what_is_shown(server, transcript):
    check(transcript, server)


@pytest.mark.parametrize("transcript", [text for text in TRANSCRIPTS if is_mqtt(text)])
def test_each_message_of_mqtt_is_what_is_shown(mqtt, tmp_path, transcript):
    url, reader = mqtt
    with ForkedServer(tmp_path, NVR_MQTT_URL=url) as server:
        commands = MQTT.sub("", transcript)
        camera = check(commands, server)
        for topic, payload in MQTT.findall(transcript):
            found = reader.wait(re.sub(UUID, camera, topic))
            assert same(found.payload.decode().rstrip()) == same(payload)


def test_the_commands_for_home_assistant_save_its_configuration_with_a_token(server, tmp_path):
    requests.post(f"{server.url}/api/cameras", json={"name": "Front Door", "folder_path": "front"})
    token = ""
    for commands in COMMANDS.findall((PROJECT / "docs" / "homeassistant.md").read_text()):
        addressed = commands.replace("http://nvr.local:8000", server.url).replace("TOKEN", token)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environ = server.environ() | {"PYTHONPATH": str(PROJECT), "PATH": path}
        printed = run(["bash", "-ec", addressed], cwd=tmp_path, **environ)
        token = token or printed.strip()
    saved = yaml.safe_load((tmp_path / "nvr.yaml").read_text())
    assert saved["rest"][0]["headers"] == {"Authorization": f"Bearer {token}"}
    answer = requests.get(saved["rest"][0]["resource"], headers=saved["rest"][0]["headers"])
    assert answer.json()["count"] == 1


def check(transcript, server):
    """``$NVR`` is the service's address, ``$CAMERA`` its only camera, ``$TOKEN`` a token."""
    for folder in ("front_door", "Garden"):
        put(server.base / folder / "a.jpg", picture())
    made = requests.post(
        f"{server.url}/api/cameras", json={"name": "Front Door", "folder_path": "front_door"}
    )
    known = {
        **server.environ(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NVR": server.url,
        "CAMERA": made.json()["id"],
        "TOKEN": server.token("write") if "$TOKEN" in transcript else "",
    }
    commands, printed = COMMAND.findall(transcript), ""
    assert commands
    with receivers() as told:
        for command, output in commands:
            if keeping := KEEPING.fullmatch(command):
                known[keeping[1]] = json.loads(printed)["id"]
                continue
            printed = output_of(command, output, known, told)
            printed = printed.replace(str(server.base), "/tmp/uploads")
            assert same(printed.rstrip("\n")) == same(output.rstrip("\n")), command
    return known["CAMERA"]
