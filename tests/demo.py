"""What does the service do? Two cameras upload by FTP, and curl fetches their pictures.

Then it looks back at a night, asks what retention would delete, and reports an event by a
webhook and, where mosquitto is installed, by MQTT.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ftplib import FTP
from pathlib import Path

from tests.e2e.broker import MOSQUITTO, Mosquitto, Reader
from tests.e2e.ftp import PASSWORD, ftp_client, ftp_server, store
from tests.e2e.server import Server
from tests.pictures import picture
from tests.receivers import Received, receiving

DEADLINE_SECONDS = 30
# When the front door camera took its pictures of the night, in UTC.
TIMES = ("025810", "031140", "031204", "031230", "034000")
UPLOAD = 'for t in {times}; do curl -s -T $t.jpg -Q "-MFMT $NIGHT$t $t.jpg" $FTP/; done'
PICTURES = "$NVR/api/cameras/$FRONT/pictures"
ROW = """| grep -o '"id[^}]*'"""
TAKEN = """| grep -o '"taken_at[^,]*'"""
MOMENTS = """| grep -o '"start[^,]*,[^,]*,[^,]*'"""
LIMIT = """| grep -o '"keep_days[^,]*'"""
SECRET = """| grep -o '"secret[^}]*'"""
NUMBER = """| grep -o '"id[^,]*'"""
CLOCK = re.compile(r"\d\d:\d\d:\d\d")
FETCH = "curl -s -OJ -w '%{{http_code}} %{{content_type}}\\n' $NVR/api/cameras/${}/snapshot"


class Differs(Exception):
    """An output is not the expected one; the text says which."""


class Shell:
    """A shell that prints each command and its output."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        # No proxy and no .curlrc of the user may come between curl and the service.
        self.environ = os.environ | {"NO_PROXY": "127.0.0.1", "CURL_HOME": str(folder)}

    def note(self, name: str, value: str) -> None:
        """Set a variable of the shell."""
        print(f"$ {name}={value}")
        self.environ[name] = value

    def run(self, command: str) -> str:
        """Run ``command`` and return what it prints; raises `Differs` if it fails."""
        print(f"$ {command}")
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        if done.stdout:
            print(done.stdout.rstrip())
        if done.returncode:
            raise Differs(f"exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def register(shell: Shell, variable: str, name: str, folder: str) -> None:
    """Register a camera and set ``variable`` to its id."""
    body = json.dumps({"name": name, "folder_path": folder})
    camera = json.loads(shell.run(f"curl -s $NVR/api/cameras --json '{body}'"))
    expect(camera.get("name"), name, "the camera's name")
    shell.note(variable, camera["id"])
    print()


def upload_flat(camera: FTP) -> bytes:
    """Upload every picture into one folder, as a Foscam does; returns the last one."""
    for minute in (0, 1):
        frame = picture(shade=minute * 40)
        say(camera, f"STOR MDAlarm_20251223-12{minute:02}00.jpg", frame)
    return frame


def upload_dated(camera: FTP) -> bytes:
    """Upload into a folder per hour and rename each complete picture; returns the last one."""
    camera.mkd("20251223")
    for hour in ("12", "13"):
        frame = picture(shade=100 + int(hour))
        camera.mkd(f"20251223/{hour}")
        say(camera, f"STOR 20251223/{hour}/0500.tmp", frame)
        answer = camera.rename(f"20251223/{hour}/0500.tmp", f"20251223/{hour}/0500.jpg")
        print(f"ftp> RNTO 20251223/{hour}/0500.jpg\n{answer}")
    return frame


def upload_night(shell: Shell, port: int) -> None:
    """Upload pictures of the night before the last one, each with the time it was taken at."""
    print("# the front door camera sends what it took two nights ago, with the times of then")
    for number, each in enumerate(TIMES):
        (shell.folder / f"{each}.jpg").write_bytes(picture(shade=number * 40))
    night = datetime.now(UTC).date() - timedelta(days=2)
    shell.note("NIGHT", f"{night:%Y%m%d}")
    shell.note("AT", f"{night}T03:12:00Z")
    shell.note("FTP", f"ftp://front_door:{PASSWORD}@127.0.0.1:{port}")
    shell.run(UPLOAD.format(times=" ".join(TIMES)))
    print()


def look_back(shell: Shell) -> None:
    """Find the moment at 03:12, what came before and after it, and keep its picture."""
    print("# who was it at 03:12, what came before, and what after?")
    shell.run(f'curl -s "$NVR/api/cameras/$FRONT/moments?end_date=$AT" {MOMENTS}')
    nearest = shell.run(f'curl -s "{PICTURES}?around=$AT&limit=1" {ROW}')
    shell.note("DOOR", json.loads(f"{{{nearest}}}")["id"])
    before = shell.run(f'curl -s "{PICTURES}?around=$AT&limit=3" {TAKEN}')
    after = shell.run(f'curl -s "{PICTURES}?around=$AT&limit=3&order=oldest" {TAKEN}')
    expect(CLOCK.findall(before), ["03:12:04", "03:11:40", "02:58:10"], "what came before")
    expect(CLOCK.findall(after), ["03:12:04", "03:12:30", "03:40:00"], "what came after")
    shell.run(f"curl -s -o door.jpg -w '%{{http_code}} %{{content_type}}\\n' {PICTURES}/$DOOR")
    frame = (shell.folder / "031204.jpg").read_bytes()
    expect((shell.folder / "door.jpg").read_bytes(), frame, "the picture of 03:12")
    kept = json.loads(shell.run(f"curl -s -X PUT {PICTURES}/$DOOR/keep"))
    expect(kept["kept"], True, "whether it is kept")
    print()


def ask_retention(shell: Shell) -> None:
    """Set a limit and see what would go: what is older than a day, but not the kept picture."""
    print("# what would go if pictures were kept for a day? not the one that is kept")
    shell.run(
        f"curl -s $NVR/api/settings -X PATCH --json '{json.dumps({'keep_days': 1})}' {LIMIT}"
    )
    plan = json.loads(shell.run('curl -s -X POST "$NVR/api/system/retention?dry_run=true"'))
    expect(plan["pictures"], len(TIMES) - 1, "the number of pictures that would go")
    print()


def tell(shell: Shell, reader: Reader | None) -> None:
    """Post an event, and show the webhook and the MQTT message that report it."""
    print("# somebody is at the door: who is told, and what?")
    camera_id = shell.environ["FRONT"]
    with receiving() as receiver:
        rule = json.dumps({"name": "Hallway", "url": receiver.url, "kinds": ["event"]})
        shell.run(f"curl -s $NVR/api/notifications --json '{rule}' {SECRET}")
        event = {"camera_id": camera_id, "started_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        body = json.dumps(event | {"risk_score": 70, "summary": "Somebody at the door"})
        shell.run(f"curl -s $NVR/api/events --json '{body}' {NUMBER}")
        show_webhook(receiver.wait_for(1)[0])
    show_mqtt(reader, f"nvr/{camera_id}/event")
    print()


def show_webhook(received: Received) -> None:
    """Print a webhook's request as it came."""
    print(f"webhook> POST {received.path}")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        print(f"webhook> {name}: {received.headers[name]}")
    print(f"webhook> {received.body.decode().rstrip()}")
    expect(received.message["data"]["event"]["risk_level"], "high", "the risk level")


def show_mqtt(reader: Reader | None, topic: str) -> None:
    """Print the message that came on the topic."""
    if reader is None:
        print("mqtt> mosquitto is not installed: install it to see the message of MQTT")
    else:
        print(f"mqtt> {topic} {reader.wait(topic).payload.decode().rstrip()}")


def say(camera: FTP, command: str, frame: bytes) -> None:
    """Upload, and print the command as an FTP client would."""
    print(f"ftp> {command}\n{store(camera, command.removeprefix('STOR '), frame)}")


def fetch(shell: Shell, variable: str, name: str, frame: bytes) -> None:
    """Fetch the camera's snapshot and check that it is ``frame``, saved as ``name``."""
    expect(shell.run(FETCH.format(variable)), "200 image/jpeg\n", "the answer")
    fetched = shell.folder / name
    expect(fetched.is_file(), True, f"that {name} was saved")
    expect(fetched.read_bytes(), frame, "the picture")
    print(f"{name}: {len(frame):,} bytes, the last upload\n")


def expect(actual: object, wanted: object, what: str) -> None:
    """Raise `Differs` if the two are not equal."""
    if actual != wanted:
        raise Differs(f"{what} is {actual!r:.200}, not {wanted!r:.200}")


def show(folder: Path) -> None:
    """Run the whole demonstration with data in ``folder``."""
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder)) if MOSQUITTO else None
        settings = {"NVR_MQTT_URL": broker.url} if broker else {}
        server = stack.enter_context(Server(folder, **settings))
        reader = stack.enter_context(Reader(broker.port)) if broker else None
        port = stack.enter_context(ftp_server(server.base, "front_door", "garden"))
        shell = Shell(folder / "here")
        shell.note("NVR", server.url)
        register(shell, "FRONT", "Front Door", "front_door")
        register(shell, "GARDEN", "Garden", "garden")
        with ftp_client(port, "front_door") as camera:
            print("# the front door camera uploads by FTP, all into one folder")
            frame = upload_flat(camera)
        fetch(shell, "FRONT", "MDAlarm_20251223-120100.jpg", frame)
        with ftp_client(port, "garden") as camera:
            print("# the garden camera makes dated folders, and renames what is complete")
            frame = upload_dated(camera)
        fetch(shell, "GARDEN", "0500.jpg", frame)
        upload_night(shell, port)
        look_back(shell)
        ask_retention(shell)
        tell(shell, reader)
        shell.run("curl -s -o /dev/null -w '%{http_code}\\n' -X DELETE $NVR/api/cameras/$GARDEN")
        gone = json.loads(shell.run("curl -s $NVR/api/cameras/$GARDEN/snapshot"))
        expect(gone.get("code"), "camera_not_found", "the code")
    expect(server.process.returncode, 0, "the service's exit code")
    expect(re.findall("Traceback|ERROR", server.log()), [], "errors in the log")


def main() -> str | None:
    """Run the demonstration in a temporary folder; returns what differs, or None."""
    if not shutil.which("curl"):
        return "the demo runs curl: install curl"
    try:
        with tempfile.TemporaryDirectory(prefix="nvr-demo-") as folder:
            show(Path(folder))
    except (Differs, AssertionError) as difference:
        return f"the demo failed: {difference}"
    return None


if __name__ == "__main__":
    sys.exit(main())
