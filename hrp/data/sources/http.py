"""Asking a vendor over HTTP: at its pace, again where that can help, and never with a key in what is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import requests
from pydantic import BaseModel, SecretStr, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from hrp.domain.pacing import Pace
from hrp.errors import ConfigError, DataError, SourceUnavailableError

Answer = TypeVar("Answer", bound=BaseModel)
Params = Mapping[str, str | int]

_ATTEMPTS = 6
_LONGEST_WAIT_SECONDS = 60.0
_EXCERPT = 200  # characters of a vendor's own words
_REFUSED_KEY = (401, 403)
_TOO_MANY, _SERVER_FAULT = 429, 500
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of `variable` that goes out in the header `header`, after `before`."""

    variable: str
    value: SecretStr
    header: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a vendor: `url` without a path, `timeout` in seconds, at most so many requests a minute.

    `elapsed` reads a clock that only moves forward, `sleep` lets seconds pass.
    """

    url: str
    keys: Sequence[Key]
    requests_per_minute: int
    timeout: float
    elapsed: Callable[[], float]
    sleep: Callable[[float], None]


class _AgainError(SourceUnavailableError):
    """Worth another attempt, after `wait` seconds if the vendor said so."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class VendorClient:
    """GET requests whose answer is one JSON document of a known shape."""

    def __init__(self, vendor: str, access: Access) -> None:
        """Raises ConfigError if a key is not set."""
        self._vendor, self._access = vendor, access
        for key in access.keys:
            if not key.value.get_secret_value():
                raise ConfigError(f"{key.variable} is not set; {vendor} needs it, put it into .env")
        self._pace = Pace(access.requests_per_minute, _MINUTE)
        self._session = requests.Session()
        self._session.headers.update({key.header: key.before + key.value.get_secret_value() for key in access.keys})

    def get(self, path: str, params: Params, shape: type[Answer]) -> Answer:
        """The answer of `path`, as `shape` reads it.

        Raises:
            ConfigError: the vendor refuses the key, or what is asked for is not in its plan.
            SourceUnavailableError: no whole answer after several attempts.
            DataError: the vendor refuses the question.
        """
        again = Retrying(
            retry=retry_if_exception_type(_AgainError),
            wait=_wait,
            stop=stop_after_attempt(_ATTEMPTS),
            sleep=self._access.sleep,
            reraise=True,
        )
        answer: Answer = again(self._attempt, path, params, shape)
        return answer

    def _attempt(self, path: str, params: Params, shape: type[Answer]) -> Answer:
        self._access.sleep(self._pace.delay(self._access.elapsed()))
        try:
            answer = self._session.get(self._access.url.rstrip("/") + path, params=params, timeout=self._access.timeout)
        except requests.RequestException as error:
            raise self._again(f"gave no whole answer: {error}") from error
        self._require_good(answer)
        try:
            return shape.model_validate_json(answer.content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise self._again(f"gave half an answer to {path} ({place} {first['msg']})") from error

    def _require_good(self, answer: requests.Response) -> None:
        if answer.ok:
            return
        said = f"{answer.status_code} {self._clean(answer.text)}"
        if answer.status_code in _REFUSED_KEY:
            variables = " and ".join(key.variable for key in self._access.keys)
            raise ConfigError(f"{self._vendor} refused ({said}); check {variables}, and what its plan allows")
        if answer.status_code == _TOO_MANY or answer.status_code >= _SERVER_FAULT:
            raise self._again(f"answered {said}", _seconds(answer.headers.get("Retry-After", "")))
        raise DataError(f"{self._vendor} refused the question ({said}); check symbols and dates")

    def _again(self, what: str, wait: float = 0.0) -> _AgainError:
        return _AgainError(
            f"{self._vendor} {self._clean(what)}; tried {_ATTEMPTS} times, run the command again later", wait
        )

    def _clean(self, text: str) -> str:
        """The beginning of what was said, on one line, without any secret."""
        for key in self._access.keys:
            text = text.replace(key.value.get_secret_value(), "(hidden)")
        return " ".join(text.split())[:_EXCERPT]


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, _AgainError) else 0.0
    return max(asked, wait_exponential_jitter(initial=1, max=_LONGEST_WAIT_SECONDS)(state))


def _seconds(text: str) -> float:
    """What Retry-After asks for; a date, which is rare, is left to our own waiting."""
    return min(float(text), _LONGEST_WAIT_SECONDS) if text.isdecimal() else 0.0
