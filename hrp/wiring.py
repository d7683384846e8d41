"""The one place that reads the clock and the environment, imports the heavy libraries, and builds the adapters."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hrp.config import Settings, parse_settings
from hrp.errors import ConfigError, StoreUnwritableError

if TYPE_CHECKING:
    from hrp.data.db import Store
    from hrp.data.sources.http import Access, Key
    from hrp.domain.deployment import ModelVersion
    from hrp.domain.promotion import GateEvidence
    from hrp.execution.account import BrokerConfig
    from hrp.ml.registry import MlflowRegistry
    from hrp.ml.trials import Search
    from hrp.ports import Broker, Clock, DriftDetector, Notifier, PriceSource, TrainedModel
    from hrp.research.backtest import BacktestResult

ENV_FILE_VARIABLE = "HRP_ENV_FILE"


class SystemClock:
    """The host's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.perf_counter()


class SetClock:
    """A clock that stands still until it is set: for rehearsals. Durations are real."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def elapsed(self) -> float:
        return time.perf_counter()


@dataclass(frozen=True)
class App:
    """Settings, clock and the adapters that they name; each adapter is built when it is first asked for.

    A dry run (`dry`) works on a scratch copy of the store, moves no alias and sends nothing.
    """

    settings: Settings
    clock: Clock
    env_file: Path | None = None
    dry: bool = False
    source_override: PriceSource | None = None

    def store(self) -> Store:
        """The DuckDB store of the workspace."""
        from hrp.data.db import Store

        return Store(self.settings.store_path, self.settings.published_dir)

    def source(self, name: str | None = None) -> PriceSource:
        """Where prices come from: the source `name`, by default the one of the settings.

        Raises:
            ConfigError: a key or a package that it needs is missing.
        """
        if self.source_override is not None and name is None:
            return self.source_override
        match name or self.settings.price_source:
            case "skfolio":
                from hrp.data.sources import SkfolioSource

                return SkfolioSource()
            case "yfinance":
                from hrp.data.sources.yahoo import YahooSource

                return YahooSource(self.settings.home / "cache" / "yfinance", self.settings.source_timeout_seconds)
            case "ibkr":
                from hrp.execution.history import IBKRHistory
                from hrp.execution.ibapi import require

                require(self.settings.ib_client)
                client_id = self.settings.ibkr_history_client_id
                return IBKRHistory(replace(self.broker_config(), client_id=client_id), self.clock.elapsed)
            case "massive":
                from hrp.data.sources.massive import MassiveSource

                return MassiveSource(self._massive())
            case "alpaca":
                from hrp.data.sources.alpaca import AlpacaSource

                return AlpacaSource(self._alpaca(), self.settings.alpaca_feed)
            case path:
                from hrp.data.sources import FolderSource

                return FolderSource(Path(path).expanduser())

    def _massive(self) -> Access:
        from hrp.data.sources.http import Key

        s = self.settings
        keys = [Key("HRP_MASSIVE_API_KEY", s.massive_api_key, "Authorization", "Bearer ")]
        return self._access(s.massive_url, keys, s.massive_requests_per_minute)

    def _alpaca(self) -> Access:
        from hrp.data.sources.http import Key

        s = self.settings
        keys = [
            Key("HRP_ALPACA_KEY_ID", s.alpaca_key_id, "APCA-API-KEY-ID"),
            Key("HRP_ALPACA_SECRET_KEY", s.alpaca_secret_key, "APCA-API-SECRET-KEY"),
        ]
        return self._access(s.alpaca_url, keys, s.alpaca_requests_per_minute)

    def _access(self, url: str, keys: list[Key], requests_per_minute: int) -> Access:
        from hrp.data.sources.http import Access

        timeout = self.settings.source_timeout_seconds
        return Access(url, keys, requests_per_minute, timeout, self.clock.elapsed, time.sleep)

    def registry(self) -> MlflowRegistry:
        """MLflow; read-only in a dry run."""
        from hrp.ml.registry import MlflowRegistry, ReadOnlyRegistry

        kind = ReadOnlyRegistry if self.dry else MlflowRegistry
        return kind(self.settings.mlflow_uri, self.settings.artifact_root)

    def trainer(self) -> Callable[..., TrainedModel]:
        """`hrp.ml.training.train`."""
        from hrp.ml.training import train

        return train

    def searcher(self) -> Callable[..., Search]:
        """`hrp.ml.search.search`."""
        from hrp.ml.search import search

        return search

    def workers(self) -> AbstractContextManager[None]:
        """Where the folds and trials inside it run: in this process, or on the Dask cluster of the settings.

        Raises:
            ConfigError: Dask is not installed.
            RequirementNotMetError: no scheduler or no worker answers, on entering.
        """
        address = self.settings.dask_scheduler
        if not address:
            return nullcontext()
        if find_spec("distributed") is None:
            raise ConfigError(f"HRP_DASK_SCHEDULER={address} needs Dask; install it: pip install 'hrp[dask]'")
        from hrp.ml.cluster import joined

        return joined(address)

    def examiner(self) -> Callable[[MlflowRegistry, ModelVersion], GateEvidence]:
        """`hrp.ml.gate.examine_apart`: trying a version in a clean process."""
        from hrp.ml.gate import examine_apart

        return examine_apart

    def backtester(self) -> Callable[..., BacktestResult]:
        """`hrp.research.backtest.run_backtest`."""
        from hrp.research.backtest import run_backtest

        return run_backtest

    def broker_config(self) -> BrokerConfig:
        """How to reach the broker.

        Raises:
            ConfigError: no account is set, or a value cannot be used.
        """
        from hrp.execution.account import BrokerConfig

        s = self.settings
        return BrokerConfig(
            host=s.ibkr_host,
            port=s.ibkr_port,
            client_id=s.ibkr_client_id,
            account=s.require_account(),
            paper_trading=s.ibkr_paper_trading,
            timeout=s.ibkr_timeout_seconds,
            allow_live_account=s.allow_live_account,
            time_zone=s.ibkr_time_zone,
            grace_seconds=s.ibkr_grace_seconds,
        )

    def broker(self) -> Broker:
        """The account at the broker; one that sends nothing in a dry run.

        Raises:
            ConfigError: no account is set, or the client library that is named is not installed.
        """
        from hrp.execution.broker import IBKRBroker
        from hrp.execution.dry_run import DryRunBroker
        from hrp.execution.ibapi import require

        require(self.settings.ib_client)
        broker = IBKRBroker(self.broker_config())
        return DryRunBroker(broker) if self.dry else broker

    def detector(self) -> DriftDetector:
        """Evidently."""
        from hrp.monitoring.drift import EvidentlyDetector

        return EvidentlyDetector()

    def notifier(self) -> Notifier:
        """The alert log, and e-mail if it is configured; silent in a dry run."""
        from hrp.notifications.notify import EmailNotifier, Fanout, LogNotifier

        s = self.settings
        if self.dry:
            return Fanout([])
        notifiers: list[Notifier] = [LogNotifier(s.home / "logs" / "alerts.log", self.clock.now)]
        if s.smtp_host:
            recipients = [address.strip() for address in s.alert_to.split(",")]
            password = s.smtp_password.get_secret_value()
            notifiers.append(
                EmailNotifier(s.smtp_host, s.smtp_port, s.smtp_username, password, s.alert_from, recipients)
            )
        return Fanout(notifiers)

    @contextmanager
    def rehearsal(self) -> Iterator[App]:
        """The same app for a dry run: the same code over a scratch copy of the store that is thrown away."""
        with tempfile.TemporaryDirectory(prefix="hrp-dry-run-") as folder:
            scratch = Path(folder)
            self.store().copy_to(scratch / "hrp.duckdb")
            settings = self.settings.model_copy(
                update={"home": scratch, "mlflow_tracking_uri": self.settings.mlflow_uri}
            )
            yield replace(self, settings=settings, dry=True)


def make_home(home: Path) -> None:
    """Create the workspace's folders.

    Raises:
        StoreUnwritableError: the file system refuses.
    """
    try:
        for name in ("logs", "mlflow", "reports", "published"):
            (home / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnwritableError(
            f"cannot create {home}: {error.strerror}; set HRP_HOME to a folder that you may write"
        ) from error


def find_env_file(given: Path | None) -> Path | None:
    """The settings file: `given`, else the one that HRP_ENV_FILE names, else `.env` here if there is one."""
    if given is not None:
        return given
    named = os.environ.get(ENV_FILE_VARIABLE)
    if named:
        return Path(named)
    local = Path(".env").absolute()
    return local if local.exists() else None


def build(env_file: Path | None = None, overrides: Mapping[str, object] | None = None) -> App:
    """The app for the settings found.

    Raises:
        ConfigError: a setting is missing, malformed or contradicts another.
    """
    path = find_env_file(env_file)
    settings = parse_settings(path, overrides)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.home / "cache" / "numba"))
    clock: Clock = SystemClock() if settings.clock == "system" else SetClock(datetime.fromisoformat(settings.clock))
    return App(settings, clock, path)


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that HRP starts."""
    return {**os.environ, **extra}


@dataclass(frozen=True)
class Host:
    """The machine as a schedule needs to know it."""

    python: Path
    user_home: Path
    uid: int
    is_mac: bool
    zone: str


def host() -> Host:
    """What this machine is; its time zone is UTC where it names none."""
    link = Path("/etc/localtime")
    target = str(link.resolve()) if link.exists() else ""
    zone = target.partition("zoneinfo/")[2] or "UTC"
    return Host(Path(sys.executable), Path.home(), os.getuid(), sys.platform == "darwin", zone)
