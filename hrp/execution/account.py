"""Which account HRP may touch, and the proof that the server at the other end serves exactly that one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hrp.errors import ConfigError, WrongAccountError

PAPER_PORTS = {7497: "TWS", 4002: "IB Gateway"}
LIVE_PORTS = {7496: "TWS", 4001: "IB Gateway"}
_PAPER_ACCOUNT = re.compile(r"D[UF]\d+")


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """How to reach the broker. `timeout` is seconds, for each request by itself.

    `client_id` owns the orders it places, so it is fixed and never 0. A live account needs two words of the operator:
    `paper_trading=False` and its id in `allow_live_account`. `time_zone` (such as `Europe/London`) is that of TWS,
    needed only by a TWS that states execution times without a zone. `requests_per_second` stays below the 50 that TWS
    takes; 0 is no limit, for the paper gateway alone. `grace_seconds` pass before an order that the broker did not show
    is looked for a second time.

    Raises:
        ConfigError: a value is missing or cannot be used.
    """

    host: str
    port: int
    client_id: int
    account: str
    paper_trading: bool = True
    timeout: float = 10
    allow_live_account: str = ""
    time_zone: str = ""
    requests_per_second: int = 45
    grace_seconds: float = 30

    def __post_init__(self) -> None:
        if not self.host:
            raise ConfigError("host is required; set IBKR_HOST, for example 127.0.0.1")
        if not self.account:
            raise ConfigError("account is required; set IBKR_ACCOUNT to the paper account, for example DU1234567")
        if not 0 < self.port < 65536:
            raise ConfigError(f"port must be 1 to 65535, got {self.port}; set IBKR_PORT (paper TWS listens on 7497)")
        if self.client_id < 1:
            raise ConfigError(
                f"client_id must be at least 1, got {self.client_id}; set IBKR_CLIENT_ID (0 is TWS itself)"
            )
        if not self.timeout > 0:
            raise ConfigError(f"timeout must be positive seconds, got {self.timeout}")
        if not self.grace_seconds >= 0:
            raise ConfigError(f"grace_seconds must be 0 or more, got {self.grace_seconds}")
        if not 0 <= self.requests_per_second < 50:
            raise ConfigError(f"requests_per_second must be 0 to 49, got {self.requests_per_second}")
        if self.time_zone:
            _require_zone(self.time_zone)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"time_zone {name!r} is no known zone; use a name such as America/New_York") from error


def prove_settings(config: BrokerConfig) -> None:
    """Hold mode, port and account id of `config` against one another, before any socket is opened.

    Raises:
        WrongAccountError: they do not agree.
    """
    if config.paper_trading:
        _prove_paper(config)
    else:
        _prove_live(config)


def prove_accounts(config: BrokerConfig, reported: Sequence[str]) -> None:
    """Hold the accounts that the server `reported` against `config`.

    Raises:
        WrongAccountError: the account is not among them, or a paper session shows a live account.
    """
    listed = ", ".join(reported) or "none"
    if config.account not in reported:
        raise WrongAccountError(
            f"the server at {config.address} serves {listed}, not account {config.account}; "
            "set IBKR_ACCOUNT to one of them, or log in to the right account"
        )
    live = [account for account in reported if not is_paper(account)]
    if config.paper_trading and live:
        raise WrongAccountError(
            f"paper trading is set and the server at {config.address} also serves {', '.join(live)}; "
            "log in to the paper account alone"
        )


def is_paper(account: str) -> bool:
    """True if the id has the form of a paper account: DU or DF and digits."""
    return _PAPER_ACCOUNT.fullmatch(account) is not None


def _prove_paper(config: BrokerConfig) -> None:
    if config.port in LIVE_PORTS:
        raise WrongAccountError(
            f"port {config.port} is the live port of {LIVE_PORTS[config.port]} and paper trading is set; "
            "set IBKR_PORT to 7497 (paper TWS) or 4002 (paper IB Gateway)"
        )
    if not is_paper(config.account):
        raise WrongAccountError(
            f"account {config.account} does not have the form of a paper account (DU or DF and digits) and "
            "paper trading is set; set IBKR_ACCOUNT to the paper account"
        )


def _prove_live(config: BrokerConfig) -> None:
    if config.port in PAPER_PORTS:
        raise WrongAccountError(
            f"port {config.port} is the paper port of {PAPER_PORTS[config.port]} and paper trading is off; "
            "set IBKR_PAPER_TRADING=true"
        )
    if is_paper(config.account):
        raise WrongAccountError(
            f"account {config.account} is a paper account and paper trading is off; set IBKR_PAPER_TRADING=true"
        )
    if config.allow_live_account != config.account:
        raise WrongAccountError(
            f"paper trading is off and live account {config.account} is not allowed by name "
            f"(allowed: {config.allow_live_account or 'none'}); set IBKR_PAPER_TRADING=true"
        )
