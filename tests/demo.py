"""What does it look like at work? Two cameras upload by FTP, curl fetches what they see."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from ftplib import FTP
from pathlib import Path

from tests.e2e.ftp import ftp_client, ftp_server, store
from tests.e2e.server import Server
from tests.pictures import picture

DEADLINE_SECONDS = 30
FETCH = "curl -s -OJ -w '%{{http_code}} %{{content_type}}\\n' $NVR/api/cameras/${}/snapshot"


class Differs(Exception):
    """Something is not as it should be; the text says what."""


class Shell:
    """A terminal: shows what is typed and what comes back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        # Neither a proxy nor the settings of whoever runs this belong between curl and the box.
        self.environ = os.environ | {"NO_PROXY": "127.0.0.1", "CURL_HOME": str(folder)}

    def note(self, name: str, value: str) -> None:
        """Keep ``value`` in a variable of the shell."""
        print(f"$ {name}={value}")
        self.environ[name] = value

    def run(self, command: str) -> str:
        """What ``command`` prints; raises `Differs` where it fails."""
        print(f"$ {command}")
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        print(done.stdout.rstrip())
        if done.returncode:
            raise Differs(f"exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def register(shell: Shell, variable: str, name: str, folder: str) -> None:
    """Register a camera and keep its id in ``variable``."""
    body = json.dumps({"name": name, "folder_path": folder})
    camera = json.loads(shell.run(f"curl -s $NVR/api/cameras --json '{body}'"))
    expect(camera.get("name"), name, "the camera's name")
    shell.note(variable, camera["id"])
    print()


def upload_flat(camera: FTP) -> bytes:
    """As a Foscam does, every picture into one folder; the last one."""
    for minute in (0, 1):
        frame = picture(shade=minute * 40)
        say(camera, f"STOR MDAlarm_20251223-12{minute:02}00.jpg", frame)
    return frame


def upload_dated(camera: FTP) -> bytes:
    """A folder for each hour, each picture renamed when it is whole; the last one."""
    camera.mkd("20251223")
    for hour in ("12", "13"):
        frame = picture(shade=100 + int(hour))
        camera.mkd(f"20251223/{hour}")
        say(camera, f"STOR 20251223/{hour}/0500.tmp", frame)
        answer = camera.rename(f"20251223/{hour}/0500.tmp", f"20251223/{hour}/0500.jpg")
        print(f"ftp> RNTO 20251223/{hour}/0500.jpg\n{answer}")
    return frame


def say(camera: FTP, command: str, frame: bytes) -> None:
    """Upload, and show it as an FTP client would."""
    print(f"ftp> {command}\n{store(camera, command.removeprefix('STOR '), frame)}")


def fetch(shell: Shell, variable: str, name: str, frame: bytes) -> None:
    """Fetch the camera's snapshot: it is ``frame``, saved under ``name``."""
    expect(shell.run(FETCH.format(variable)), "200 image/jpeg\n", "the answer")
    fetched = shell.folder / name
    expect(fetched.is_file(), True, f"that {name} was saved")
    expect(fetched.read_bytes(), frame, "the picture")
    print(f"{name}: {len(frame):,} bytes, the last upload\n")


def expect(actual: object, wanted: object, what: str) -> None:
    """Raise `Differs` where the two are not the same."""
    if actual != wanted:
        raise Differs(f"{what} is {actual!r:.200}, not {wanted!r:.200}")


def show(folder: Path) -> None:
    """The whole demonstration, on an empty folder."""
    with Server(folder) as server, ftp_server(server.base, "front_door", "garden") as port:
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
        shell.run("curl -s -o /dev/null -w '%{http_code}\\n' -X DELETE $NVR/api/cameras/$GARDEN")
        gone = json.loads(shell.run("curl -s $NVR/api/cameras/$GARDEN/snapshot"))
        expect(gone.get("code"), "camera_not_found", "the code")
    expect(server.process.returncode, 0, "the service's exit code")
    expect(re.findall("Traceback|ERROR", server.log()), [], "what the log complains of")


def main() -> str | None:
    """Show it on a scratch folder; what differs, or None."""
    if not shutil.which("curl"):
        return "the demo types curl commands: install curl"
    try:
        with tempfile.TemporaryDirectory(prefix="nvr-demo-") as folder:
            show(Path(folder))
    except Differs as difference:
        return f"the demo failed: {difference}"
    return None


if __name__ == "__main__":
    sys.exit(main())
