"""What do the receivers get that the transcripts in docs/ send notifications to?

Each receiver has an address of its own.
"""

import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from tests.e2e.broker import DEADLINE_SECONDS
from tests.receivers import receiving, status

# The documented addresses; a run replaces them by those of its receivers.
WEBHOOK, NTFY, MAIL = "127.0.0.1:8123", "127.0.0.1:8090", "127.0.0.1:2525"
SHOWN_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Mailbox:
    """Keeps the mails that it receives."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.changed = threading.Condition()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        with self.changed:
            self.mails.append(envelope.content)
            self.changed.notify_all()
        return "250 OK"

    def lines(self) -> list[str]:
        """The first mail: who and what, its text and its pictures."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.mails, DEADLINE_SECONDS), "no mail came"
        mail = email.message_from_bytes(self.mails.pop(0), policy=email.policy.default)
        lines = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject")]
        for part in mail.walk():
            content = part.get_content() if not part.is_multipart() else None
            if part.get_content_type() == "text/plain":
                lines += content.strip().splitlines()
            elif isinstance(content, bytes):
                lines.append(f"{part.get_content_type()}: {len(content):,} bytes")
        return lines


class Receivers:
    """A receiver of webhooks, one that speaks ntfy's protocol, and a mailbox."""

    def __init__(self, stack: ExitStack) -> None:
        self.webhook = stack.enter_context(receiving())
        self.ntfy = stack.enter_context(receiving(lambda _: status(200)))
        self.mailbox = Mailbox()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.mail_port = free.getsockname()[1]
        mail = Controller(
            self.mailbox, hostname="127.0.0.1", port=self.mail_port, ready_timeout=30
        )
        mail.start()
        stack.callback(mail.stop)
        self.shown = {"webhook": 0, "ntfy": 0}

    def addressed(self, command: str) -> str:
        """The command with the addresses of these receivers."""
        ports = {WEBHOOK: self.webhook.server_port, NTFY: self.ntfy.server_port}
        for address, port in (ports | {MAIL: self.mail_port}).items():
            command = command.replace(address, f"127.0.0.1:{port}")
        return command

    def next_lines(self, name: str) -> list[str]:
        """What the receiver of this name got next."""
        if name == "mail":
            return self.mailbox.lines()
        self.shown[name] += 1
        number = self.shown[name]
        got = getattr(self, name).wait_for(number)[number - 1]
        headers = [f"{key}: {got.headers[key]}" for key in SHOWN_HEADERS if key in got.headers]
        return [f"POST {got.path}", *headers, got.body.decode().rstrip()]


@contextmanager
def receivers() -> Iterator[Receivers]:
    with ExitStack() as stack:
        yield Receivers(stack)
