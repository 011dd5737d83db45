"""What does the service do? Two cameras upload by FTP, and curl fetches their pictures."""

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
    expect(re.findall("Traceback|ERROR", server.log()), [], "errors in the log")


def main() -> str | None:
    """Run the demonstration in a temporary folder; returns what differs, or None."""
    if not shutil.which("curl"):
        return "the demo runs curl: install curl"
    try:
        with tempfile.TemporaryDirectory(prefix="nvr-demo-") as folder:
            show(Path(folder))
    except Differs as difference:
        return f"the demo failed: {difference}"
    return None


if __name__ == "__main__":
    sys.exit(main())
