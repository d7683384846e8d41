"""Every setting of HRP: its name in the environment, its unit, its default, and what contradicts what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, Literal, Self

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from hrp.domain.portfolio import Limits
from hrp.errors import ConfigError

LIVE_PORTS = frozenset({7496, 4001})


def _setting(default: Any, name: str, unit: str, **bounds: Any) -> Any:
    return Field(default=default, alias=name, description=unit, **bounds)


class Settings(BaseSettings):
    """Frozen; read once by `wiring`. A field's alias is the variable's name, its description says the unit."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True)

    home: Path = _setting(Path("~/hrp-data"), "HRP_HOME", "folder of the store, MLflow, logs and reports")
    clock: str = _setting("system", "HRP_CLOCK", "'system', or a fixed ISO instant with zone for rehearsals")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "INFO", "LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR"
    )

    price_source: str = _setting(
        "skfolio", "HRP_PRICE_SOURCE", "skfolio, yfinance, ibkr, massive, alpaca, or a folder or file of bars"
    )
    second_price_source: str = _setting(
        "", "HRP_SECOND_PRICE_SOURCE", "as HRP_PRICE_SOURCE, to hold the closes against; empty is none"
    )
    source_timeout_seconds: float = _setting(
        30.0, "HRP_SOURCE_TIMEOUT_SECONDS", "seconds to wait for a vendor of prices", gt=0
    )
    alpaca_key_id: SecretStr = _setting(SecretStr(""), "HRP_ALPACA_KEY_ID", "secret, never logged")
    alpaca_secret_key: SecretStr = _setting(SecretStr(""), "HRP_ALPACA_SECRET_KEY", "secret, never logged")
    alpaca_url: str = _setting(
        "https://data.alpaca.markets", "HRP_ALPACA_URL", "where Alpaca's market data are asked for"
    )
    alpaca_feed: Literal["sip", "iex"] = _setting(
        "sip", "HRP_ALPACA_FEED", "sip, every US exchange, or iex, one of them"
    )
    alpaca_requests_per_minute: int = _setting(200, "HRP_ALPACA_REQUESTS_PER_MINUTE", "count, by your plan", ge=1)
    massive_api_key: SecretStr = _setting(SecretStr(""), "HRP_MASSIVE_API_KEY", "secret, never logged")
    massive_url: str = _setting("https://api.massive.com", "HRP_MASSIVE_URL", "where Massive is asked")
    massive_requests_per_minute: int = _setting(5, "HRP_MASSIVE_REQUESTS_PER_MINUTE", "count, by your plan", ge=1)
    history: str = _setting("", "HRP_HISTORY", "folder or bucket of bars that are no longer in the store; empty: none")
    universe: str = _setting("core", "HRP_UNIVERSE", "name of the universe that is predicted and traded")
    feature_set: str = _setting("core", "HRP_FEATURE_SET", "name of the feature set")
    coverage_floor_pct: Decimal = _setting(
        Decimal("0.95"), "HRP_COVERAGE_FLOOR_PCT", "fraction of the universe", gt=0, le=1
    )

    mlflow_tracking_uri: str = _setting("", "MLFLOW_TRACKING_URI", "URI; empty is a sqlite file in HRP_HOME")
    mlflow_artifacts: Path | None = _setting(
        None, "HRP_MLFLOW_ARTIFACTS", "folder of model files; empty is in HRP_HOME"
    )
    label_horizon_sessions: int = _setting(
        5, "HRP_LABEL_HORIZON_SESSIONS", "sessions a prediction looks ahead", ge=1, le=63
    )
    label: Literal["forward_return", "forward_rank", "open_to_open", "forward_scaled"] = _setting(
        "forward_return", "HRP_LABEL", "what a model is fitted on, a kind of hrp/ml/labels.py"
    )
    walk_forward_folds: int = _setting(5, "HRP_WALK_FORWARD_FOLDS", "count", ge=2, le=50)
    dask_scheduler: str = _setting(
        "", "HRP_DASK_SCHEDULER", "address such as tcp://host:8786 for folds and trials; empty is this machine"
    )
    min_ic: float = _setting(
        0.0, "HRP_MIN_IC", "mean walk-forward rank correlation that promotion asks for", ge=-1, le=1
    )
    min_ic_tstat: float = _setting(0.0, "HRP_MIN_IC_TSTAT", "least t-statistic of that correlation for promotion")
    always_statistics: bool = _setting(
        False, "HRP_ALWAYS_STATISTICS", "true holds the bars for luck against versions of a single trial too"
    )
    top_pct: float = _setting(0.1, "HRP_TOP_PCT", "fraction of the universe that is held long", gt=0, le=1)

    max_positions: int = _setting(10, "HRP_MAX_POSITIONS", "count of names")
    max_position_pct: Decimal = _setting(Decimal("0.10"), "HRP_MAX_POSITION_PCT", "fraction of net liquidation")
    max_gross_pct: Decimal = _setting(Decimal("1.00"), "HRP_MAX_GROSS_PCT", "fraction of net liquidation")
    min_cash_pct: Decimal = _setting(Decimal("0.02"), "HRP_MIN_CASH_PCT", "fraction of net liquidation kept in cash")
    min_order_value_usd: Decimal = _setting(Decimal(100), "HRP_MIN_ORDER_VALUE_USD", "USD")
    max_order_value_usd: Decimal = _setting(Decimal(250_000), "HRP_MAX_ORDER_VALUE_USD", "USD")
    max_orders: int = _setting(100, "HRP_MAX_ORDERS", "count of orders a session")
    collar_pct: Decimal | None = _setting(
        None, "HRP_COLLAR_PCT", "limit's distance from the close, a fraction; empty is market-on-open", gt=0, lt=1
    )

    drift_threshold: float = _setting(0.2, "HRP_DRIFT_THRESHOLD", "smallest drift limit of any column", gt=0)
    drift_window_sessions: int = _setting(63, "HRP_DRIFT_WINDOW_SESSIONS", "sessions that are compared", ge=5)
    auto_rollback: bool = _setting(False, "HRP_AUTO_ROLLBACK", "true lets drift move the champion back")

    ib_client: Literal["ib_insync", "ib_async"] = _setting(
        "ib_insync", "HRP_IB_CLIENT", "ib_insync or ib_async: the installed client library of TWS"
    )
    ibkr_host: str = _setting("127.0.0.1", "IBKR_HOST", "host of TWS, IB Gateway or the paper gateway")
    ibkr_port: int = _setting(7497, "IBKR_PORT", "port: TWS paper 7497, IB Gateway paper 4002", ge=1, le=65535)
    ibkr_client_id: int = _setting(1, "IBKR_CLIENT_ID", "number of this client, never 0, never shared", ge=1)
    ibkr_history_client_id: int = _setting(
        101, "IBKR_HISTORY_CLIENT_ID", "number of the client that asks for price history, never the other's", ge=1
    )
    ibkr_account: str = _setting("", "IBKR_ACCOUNT", "paper account, DU followed by digits")
    ibkr_paper_trading: bool = _setting(True, "IBKR_PAPER_TRADING", "false needs HRP_ALLOW_LIVE_ACCOUNT as well")
    ibkr_time_zone: str = _setting("", "IBKR_TIME_ZONE", "zone of TWS, needed if it sends times without one")
    ibkr_timeout_seconds: float = _setting(10.0, "IBKR_TIMEOUT_SECONDS", "seconds to wait for a complete answer", gt=0)
    ibkr_grace_seconds: float = _setting(
        30.0, "IBKR_GRACE_SECONDS", "seconds before an order that the broker does not show is looked for again", ge=0
    )
    allow_live_account: str = _setting("", "HRP_ALLOW_LIVE_ACCOUNT", "the live account's id, said a second time")

    smtp_host: str = _setting("", "HRP_SMTP_HOST", "mail server; empty sends no e-mail")
    smtp_port: int = _setting(587, "HRP_SMTP_PORT", "port", ge=1, le=65535)
    smtp_username: str = _setting("", "HRP_SMTP_USERNAME", "name")
    smtp_password: SecretStr = _setting(SecretStr(""), "HRP_SMTP_PASSWORD", "secret, never logged")
    alert_from: str = _setting("", "HRP_ALERT_FROM", "e-mail address")
    alert_to: str = _setting("", "HRP_ALERT_TO", "e-mail addresses, comma-separated")

    @field_validator("home", "mlflow_artifacts")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()

    @field_validator("clock")
    @classmethod
    def _instant(cls, value: str) -> str:
        if value != "system" and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("an instant needs its zone, such as 2022-12-28T23:30:00+00:00")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.limits()
        if self.ibkr_paper_trading and self.ibkr_port in LIVE_PORTS:
            raise ValueError(
                f"IBKR_PORT={self.ibkr_port} is a live port but IBKR_PAPER_TRADING=true; paper is 7497 or 4002"
            )
        if not self.ibkr_paper_trading and self.allow_live_account != self.ibkr_account:
            raise ValueError(
                "IBKR_PAPER_TRADING=false needs HRP_ALLOW_LIVE_ACCOUNT to repeat IBKR_ACCOUNT; "
                "set IBKR_PAPER_TRADING=true for a paper account"
            )
        if self.ibkr_history_client_id == self.ibkr_client_id:
            raise ValueError(
                f"IBKR_HISTORY_CLIENT_ID={self.ibkr_client_id} is IBKR_CLIENT_ID; each needs its own number"
            )
        if self.smtp_host and not (self.alert_from and self.alert_to):
            raise ValueError("HRP_SMTP_HOST is set but HRP_ALERT_FROM or HRP_ALERT_TO is empty")
        return self

    def limits(self) -> Limits:
        """The account's limits; they are validated together."""
        return Limits(**{name: getattr(self, name) for name in Limits.__slots__})

    def require_account(self) -> str:
        """The configured account.

        Raises:
            ConfigError: IBKR_ACCOUNT is not set.
        """
        if not self.ibkr_account:
            raise ConfigError(
                "IBKR_ACCOUNT is not set; put the paper account (DU...) into .env, see docs/ibkr-setup.md"
            )
        return self.ibkr_account

    @property
    def store_path(self) -> Path:
        return self.home / "hrp.duckdb"

    @property
    def published_dir(self) -> Path:
        return self.home / "published"

    @property
    def mlflow_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def artifact_root(self) -> Path:
        return self.mlflow_artifacts or self.home / "mlflow" / "artifacts"

    @property
    def gateway_dir(self) -> Path:
        return self.home / "gateway"


def parse_settings(env_file: Path | None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Settings from `env_file` (if given), the environment and `overrides` (by variable name), the last winning.

    Raises:
        ConfigError: the file is missing, not text, or has a line that is no assignment; a variable is unknown,
            malformed, or contradicts another. The message names the variable, never the value of a secret.
    """
    if env_file is not None:
        _check_env_file(env_file)
    try:
        return Settings(_env_file=env_file, **(overrides or {}))  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        place = f" in {env_file} or the environment" if env_file else " in the environment"
        raise ConfigError("; ".join(_problems(error)) + f" ({place.strip()})") from error


def _check_env_file(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"no settings file at {path}; create it: hrp init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"settings file {path} cannot be read ({error}); restore it from .env.example") from error
    for binding in parse_stream(StringIO(text)):
        blank = not binding.original.string.strip() or binding.original.string.lstrip().startswith("#")
        if binding.error or (binding.value is None and not blank):
            line = binding.original.string.strip().partition("=")[0][:40]
            raise ConfigError(
                f"{path} line {binding.original.line}: {line!r} is not NAME=value; mend or remove the line"
            )


def _problems(error: ValidationError) -> Iterator[str]:
    secrets = {info.alias for info in Settings.model_fields.values() if info.annotation is SecretStr}
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        if not name:
            yield message
        elif problem["type"] == "extra_forbidden":
            yield f"{name.upper()} is not a setting of HRP; see .env.example for the names"
        else:
            value = "(hidden)" if name in secrets else repr(problem["input"])
            yield f"{name}={value}: {message}"


def describe() -> Iterator[tuple[str, str, str]]:
    """(variable, default as text, unit) of every setting, in the order of `.env.example`."""
    for info in Settings.model_fields.values():
        yield str(info.alias), _default_text(info), info.description or ""


def _default_text(info: FieldInfo) -> str:
    value = info.default
    if isinstance(value, SecretStr) or value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def env_example() -> str:
    """The text of `.env.example`: every variable with its unit and default."""
    lines = ["# Settings of HRP. Copy to .env and change what differs; a line left out keeps its default.", ""]
    for name, default, unit in describe():
        lines += [f"# {unit}", f"{name}={default}", ""]
    return "\n".join(lines).rstrip() + "\n"
