"""Notifiers: a log file, e-mail, and several of them at once."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from hrp.errors import ConfigError, NotificationError
from hrp.ports import Alert, Notifier

SMTPS_PORT = 465


@dataclass(frozen=True, slots=True)
class LogNotifier:
    """Appends one line `at=… severity=… title="…" body="…"` per alert to `path`; a line break is written as \\n."""

    path: Path
    clock_now: Callable[[], datetime]

    def notify(self, alert: Alert) -> None:
        """Raises NotificationError if the file cannot be written."""
        at = self.clock_now().astimezone(UTC).isoformat(timespec="seconds")
        title, body = (json.dumps(text, ensure_ascii=False) for text in (alert.title, alert.body))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as log:
                log.write(f"at={at} severity={alert.severity} title={title} body={body}\n")
        except OSError as error:
            raise NotificationError(f"alert {title} is not in {self.path}: {error}; make the file writable") from error


@dataclass(frozen=True, slots=True)
class EmailNotifier:
    """Sends each alert as one plain message through an SMTP server.

    Port 465 speaks TLS from the start, any other port changes to TLS if the server offers it. The password is sent
    over TLS or to this machine, never in the clear; it is in no message and no repr. `timeout` is in seconds, for
    each step. `tls` is for servers whose certificate the system does not know.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    sender: str
    recipients: Sequence[str]
    timeout: float = 10.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        missing = [name for name in ("host", "sender", "recipients") if not getattr(self, name)]
        if missing:
            raise ConfigError(f"e-mail alerts need {', '.join(missing)}; set the SMTP variables or leave all empty")
        if isinstance(self.recipients, str):
            raise ConfigError(f"recipients is one text, {self.recipients!r}; give a list of addresses")
        if bool(self.username) != bool(self.password):
            raise ConfigError("e-mail alerts have a user name or a password without the other; set both or neither")

    def notify(self, alert: Alert) -> None:
        """Raises NotificationError if the server does not take the message for every recipient."""
        try:
            with self._connect() as server:
                self._log_in(server)
                refused = server.send_message(self._message(alert))
        except (OSError, ValueError) as error:  # smtplib's errors are OSErrors; an address it cannot write, ValueError
            raise NotificationError(self._failure(f"{type(error).__name__}: {error}")) from error
        if refused:
            raise NotificationError(self._failure(f"refused for {', '.join(sorted(refused))}"))

    def _connect(self) -> smtplib.SMTP:
        if self.port == SMTPS_PORT:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=self._context())
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=self._context())
            server.ehlo()
        if not self.username:
            return
        if not isinstance(server.sock, ssl.SSLSocket) and not _is_this_machine(self.host):
            raise NotificationError(self._failure("the server offers no TLS, so the password was not sent"))
        server.login(self.username, self.password)

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(f"[HRP {alert.severity}] {alert.title}".split())
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message.set_content(alert.body)
        return message

    def _context(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()

    def _failure(self, reason: str) -> str:
        text = f"e-mail through {self.host}:{self.port} was not delivered: {reason}"
        return text.replace(self.password, "***") if self.password else text


@dataclass(frozen=True, slots=True)
class Fanout:
    """Delivers each alert to all of `notifiers`; to none of them in a dry run."""

    notifiers: Sequence[Notifier]

    def notify(self, alert: Alert) -> None:
        """Raises NotificationError, after all were tried, naming those that failed and why."""
        failures = []
        for notifier in self.notifiers:
            try:
                notifier.notify(alert)
            except NotificationError as error:
                failures.append((type(notifier).__name__, error))
        if failures:
            reasons = "; ".join(f"{name}: {error}" for name, error in failures)
            raise NotificationError(f"{len(failures)} of {len(self.notifiers)} notifiers failed: {reasons}")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
