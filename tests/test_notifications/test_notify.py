from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hrp.errors import ConfigError, NotificationError
from hrp.notifications.notify import EmailNotifier, Fanout, LogNotifier
from hrp.ports import Alert, Notifier

# aiosmtpd warns that it would take a password in the clear from this machine, which is what one test is about.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

ALERT = Alert("critical", "2 orders UNKNOWN", "AAPL and TRUE\nAsk the broker: hrp orders --unknown")
PASSWORD = "correct horse"
NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


class Mailbox:
    """What a server took; addresses that start with `no` are refused."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.encrypted: list[bool] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]) -> str:  # noqa: N802
        if address.startswith("no"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def text(self) -> str:
        [envelope] = self.taken
        return envelope.content.decode()


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"night", PASSWORD.encode()), handled=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def plain_server(mailbox: Mailbox) -> Iterator[Controller]:
    options = {"authenticator": authenticate, "auth_require_tls": False, "server_hostname": "localhost"}
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(mailbox: Mailbox, certificate: Path) -> Iterator[Controller]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    options = {"authenticator": authenticate, "tls_context": context, "require_starttls": True}
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    yield controller
    controller.stop()


def mailer(port: int, *, username: str = "", password: str = "", **changes: object) -> EmailNotifier:
    settings = {"host": "127.0.0.1", "sender": "hrp@example.org", "recipients": ["ann@example.org"], "timeout": 5.0}
    return EmailNotifier(port=port, username=username, password=password, **{**settings, **changes})


def test_an_alert_arrives_with_its_title_as_the_subject(plain_server, mailbox):
    notifier: Notifier = mailer(plain_server.port, recipients=["ann@example.org", "bob@example.org"])

    notifier.notify(ALERT)

    assert mailbox.taken[0].rcpt_tos == ["ann@example.org", "bob@example.org"]
    assert "Subject: [HRP critical] 2 orders UNKNOWN" in mailbox.text()
    assert "Ask the broker: hrp orders --unknown" in mailbox.text()


def test_a_line_break_in_a_title_adds_no_header(plain_server, mailbox):
    mailer(plain_server.port).notify(Alert("info", "done\r\nBcc: eve@example.org", "—"))

    assert mailbox.taken[0].rcpt_tos == ["ann@example.org"]
    assert "Subject: [HRP info] done Bcc: eve@example.org" in mailbox.text()


def test_the_password_opens_the_server_and_is_not_in_the_message(plain_server, mailbox):
    mailer(plain_server.port, username="night", password=PASSWORD).notify(ALERT)

    assert PASSWORD not in mailbox.text()


def test_a_wrong_password_fails_without_being_told(plain_server, mailbox):
    notifier = mailer(plain_server.port, username="night", password="hunter2")

    with pytest.raises(NotificationError, match=r"SMTPAuthenticationError: \(535") as caught:
        notifier.notify(ALERT)

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(notifier)
    assert mailbox.taken == []


def test_the_connection_changes_to_tls_where_the_server_offers_it(tls_server, mailbox, certificate):
    trusted = ssl.create_default_context(cafile=certificate)

    mailer(tls_server.port, username="night", password=PASSWORD, tls=trusted).notify(ALERT)

    assert mailbox.encrypted == [True]


def test_a_server_that_cannot_prove_itself_gets_neither_password_nor_message(tls_server, mailbox):
    with pytest.raises(NotificationError, match="CERTIFICATE_VERIFY_FAILED"):
        mailer(tls_server.port, username="night", password=PASSWORD).notify(ALERT)

    assert mailbox.taken == []


def test_the_password_is_not_sent_in_the_clear_to_another_machine(mailbox):
    other = socket.gethostname()  # by this name it could be any machine
    options = {"authenticator": authenticate, "auth_require_tls": False, "server_hostname": "localhost"}
    controller = Controller(mailbox, hostname=socket.gethostbyname(other), port=free_port(), **options)
    controller.start()
    try:
        with pytest.raises(NotificationError, match="no TLS, so the password was not sent"):
            mailer(controller.port, host=other, username="night", password=PASSWORD).notify(ALERT)
    finally:
        controller.stop()
    assert mailbox.taken == []


def test_a_recipient_that_is_refused_is_named_while_the_others_get_theirs(plain_server, mailbox):
    with pytest.raises(NotificationError, match=r"refused for nobody@example\.org"):
        mailer(plain_server.port, recipients=["nobody@example.org", "ann@example.org"]).notify(ALERT)

    assert mailbox.taken[0].rcpt_tos == ["ann@example.org"]


def test_no_server_is_a_notification_error_with_its_address():
    port = free_port()

    with pytest.raises(NotificationError, match=f"127.0.0.1:{port} was not delivered: ConnectionRefusedError"):
        mailer(port).notify(ALERT)


def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotificationError, match="timed out"):
        mailer(silent.getsockname()[1], timeout=0.2).notify(ALERT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipients": []}, "need recipients"),
        ({"sender": ""}, "need sender"),
        ({"recipients": "ann@example.org"}, "give a list of addresses"),
        ({"username": "night"}, "without the other"),
    ],
)
def test_incomplete_settings_are_refused_at_once(changes, said):
    with pytest.raises(ConfigError, match=said):
        mailer(25, **changes)


def test_the_log_holds_one_line_per_alert(tmp_path: Path):
    path = tmp_path / "logs" / "alerts.log"
    notifier: Notifier = LogNotifier(path, lambda: NOW)

    notifier.notify(ALERT)
    notifier.notify(Alert("info", 'a "quoted" title\nat=2020 forged', ""))

    assert path.read_text().splitlines() == [
        'at=2026-11-20T23:30:00+00:00 severity=critical title="2 orders UNKNOWN" '
        'body="AAPL and TRUE\\nAsk the broker: hrp orders --unknown"',
        'at=2026-11-20T23:30:00+00:00 severity=info title="a \\"quoted\\" title\\nat=2020 forged" body=""',
    ]


def test_a_log_that_cannot_be_written_is_a_notification_error(tmp_path: Path):
    with pytest.raises(NotificationError, match="make the file writable"):
        LogNotifier(tmp_path, lambda: NOW).notify(ALERT)


def test_all_notifiers_are_tried_and_those_that_failed_are_named(tmp_path: Path, plain_server, mailbox):
    log = tmp_path / "alerts.log"
    everywhere: Notifier = Fanout([mailer(free_port()), LogNotifier(log, lambda: NOW), mailer(plain_server.port)])

    with pytest.raises(NotificationError, match=r"1 of 3 notifiers failed: EmailNotifier: e-mail through"):
        everywhere.notify(ALERT)

    assert len(log.read_text().splitlines()) == len(mailbox.taken) == 1


def test_a_fanout_to_nobody_tells_nobody_as_in_a_dry_run():
    Fanout([]).notify(ALERT)
