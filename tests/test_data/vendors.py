"""A vendor on this machine: a real HTTP server that says what it is told to, and the clock of whoever asks it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from hrp.data.sources.http import Access, Key

SECRET = "s3cr3t-of-the-test"


@dataclass(frozen=True)
class Answer:
    """`missing` bytes of the body are promised and never sent; `silent` sends nothing until the server ends."""

    body: object = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    silent: bool = False

    @property
    def data(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


class Vendor:
    """Gives each path its answers in turn, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}
        self.silent = threading.Event()  # someone waits for an answer that does not come
        self._over = threading.Event()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                vendor._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, path: str, *answers: object) -> None:
        """`answers` are `Answer`s, or bodies of good ones."""
        self._answers[path] = [said if isinstance(said, Answer) else Answer(said) for said in answers]

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        address = urlsplit(request.path)
        params = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.asked.append(Asked(address.path, params, dict(request.headers)))
        answers = self._answers.get(address.path, [Answer({"message": "no such path"}, 404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer.silent:
            self.silent.set()
            self._over.wait()
            return
        request.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.data) + answer.missing)}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(answer.data)


class Clock:
    """Seconds pass by sleeping alone; `naps` are those that were slept."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def elapsed(self) -> float:
        return sum(self.naps)

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.naps.append(seconds)


def access(
    vendor: Vendor, clock: Clock, *, per_minute: int = 1_000, timeout: float = 10, secret: str = SECRET
) -> Access:
    keys = [Key("HRP_MASSIVE_API_KEY", SecretStr(secret), "Authorization", "Bearer ")]
    return Access(vendor.url, keys, per_minute, timeout, clock.elapsed, clock.sleep)
