"""The errors of HRP: each says what was wrong, with which value, and what to do next.

Expected outcomes (an order denied, drift found, nothing to do) are values, not exceptions.
An exception is a broken promise; its class decides the exit code a person or launchd sees.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_READY = 3


class HRPError(Exception):
    """Base of every error HRP raises on purpose; `exit_code` is what the process ends with."""

    exit_code = EXIT_FAILED


class ConfigError(HRPError, ValueError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = EXIT_USAGE


class UsageError(HRPError, ValueError):
    """A command or job was asked for something that does not exist."""

    exit_code = EXIT_USAGE


class SessionError(UsageError):
    """A date is not an exchange session, or not one that has closed."""


class OrderError(HRPError, ValueError):
    """An order breaks its own rules (quantity, limit price, an illegal status change)."""


class DataError(HRPError):
    """Stored or supplied data cannot be trusted."""


class MissingPriceError(DataError):
    """A price that a decision needs is not there."""


class StaleDataError(DataError):
    """The newest row is older than the decision allows."""

    exit_code = EXIT_NOT_READY


class SourceUnavailableError(DataError):
    """A vendor of prices does not answer, or wants to be asked later."""

    exit_code = EXIT_NOT_READY


class SchemaVersionError(DataError):
    """The store was written by another version of HRP, or was never created."""

    exit_code = EXIT_NOT_READY


class StoreBusyError(DataError):
    """Another process holds the store for longer than the wait allows."""

    exit_code = EXIT_NOT_READY


class StoreUnwritableError(DataError):
    """The file system refuses to be written."""


class ModelError(HRPError):
    """A model cannot be loaded or used."""


class ModelNotFoundError(ModelError):
    """The registry has no such model, version or alias."""

    exit_code = EXIT_NOT_READY


class FeatureMismatchError(ModelError):
    """What the model was trained on is not what it is offered."""


class PromotionRefusedError(ModelError):
    """The promotion gate found a reason not to let this version trade."""

    exit_code = EXIT_NOT_READY


class HypothesisError(HRPError):
    """A hypothesis may not do what was asked: an illegal move, no evidence, or sessions that are held out."""

    exit_code = EXIT_NOT_READY


class BrokerError(HRPError):
    """The broker's answer cannot be had or cannot be trusted: nothing is known, nothing is sent."""

    exit_code = EXIT_NOT_READY


class BrokerConnectionError(BrokerError, ConnectionError):
    """No connection, or it was lost."""


class ClientIdInUseError(BrokerConnectionError):
    """Another program is connected under the same client id."""


class BrokerTimeoutError(BrokerError, TimeoutError):
    """A complete answer did not arrive before the deadline."""


class WrongAccountError(BrokerError):
    """Mode, port and the accounts that the server reports do not agree."""


class NotificationError(HRPError):
    """An alert could not be delivered."""


class JobError(HRPError):
    """A job cannot do its work."""


class RequirementNotMetError(JobError):
    """A job that must come first has not run for this session, or found the data wanting."""

    exit_code = EXIT_NOT_READY


class SessionAlreadyClaimedError(JobError):
    """Another process is running this job for this session."""

    exit_code = EXIT_NOT_READY
