"""The errors of HRP and the exit codes that a person or launchd sees."""

from __future__ import annotations

import inspect

import pytest

from hrp import errors
from hrp.errors import HRPError

FAILED, USAGE, NOT_READY = 1, 2, 3

CODES = {
    "HRPError": FAILED,
    "BrokerConnectionError": NOT_READY,
    "ClientIdInUseError": NOT_READY,
    "BrokerError": NOT_READY,
    "BrokerTimeoutError": NOT_READY,
    "ConfigError": USAGE,
    "DataError": FAILED,
    "FeatureMismatchError": FAILED,
    "HypothesisError": NOT_READY,
    "JobError": FAILED,
    "MissingPriceError": FAILED,
    "ModelError": FAILED,
    "ModelNotFoundError": NOT_READY,
    "NotificationError": FAILED,
    "OrderError": FAILED,
    "PromotionRefusedError": NOT_READY,
    "RequirementNotMetError": NOT_READY,
    "SchemaVersionError": NOT_READY,
    "SessionAlreadyClaimedError": NOT_READY,
    "SessionError": USAGE,
    "SourceUnavailableError": NOT_READY,
    "StaleDataError": NOT_READY,
    "StoreBusyError": NOT_READY,
    "StoreUnwritableError": FAILED,
    "UsageError": USAGE,
    "WrongAccountError": NOT_READY,
}


def test_the_documented_exit_codes() -> None:
    """0 done or nothing to do, 1 failed, 2 wrong usage, 3 not ready or refused."""
    assert (errors.EXIT_DONE, errors.EXIT_FAILED, errors.EXIT_USAGE, errors.EXIT_NOT_READY) == (0, 1, 2, 3)


def test_every_error_has_its_exit_code() -> None:
    classes = dict(inspect.getmembers(errors, inspect.isclass))

    assert all(issubclass(cls, HRPError) for cls in classes.values())
    assert {name: cls.exit_code for name, cls in classes.items()} == CODES


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        ("ConfigError", ValueError),
        ("OrderError", ValueError),
        ("UsageError", ValueError),
        ("BrokerConnectionError", ConnectionError),
        ("BrokerTimeoutError", TimeoutError),
    ],
)
def test_an_error_is_also_what_python_calls_it(error: str, builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="what went wrong"):
        raise getattr(errors, error)("what went wrong")
