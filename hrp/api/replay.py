"""Past sessions lived again: the workspace for it.

It is a folder of its own: a copy of the store in which no night has happened, the stored bars and actions
as files, and a paper gateway that trades at them. The registry is the operator's and is only read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from hrp.api import research
from hrp.api.strategies import deployed
from hrp.data import market, replays
from hrp.data.db import Store
from hrp.data.rows import Connection
from hrp.data.sources import FolderSource
from hrp.domain.deployment import ModelVersion
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import FIRST_SESSION, close_at, next_session, previous_session, sessions_between
from hrp.errors import RequirementNotMetError, UsageError
from hrp.gateway import client
from hrp.ml.registry import MlflowRegistry, ReadOnlyRegistry
from hrp.ports import LoadedModel, PriceSource
from hrp.wiring import App, SetClock, make_home

ACCOUNT = "DU0000001"
EVENING = timedelta(hours=2, minutes=30)  # after the close: when a night runs
_REQUEST, _PLAYED = "replay.json", "played"
_BARS, _ACTIONS = Path("prices", "bars.parquet"), Path("prices", "actions.parquet")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be replayed: the nights, USD in the account before the first, and the names (empty: the universe)."""

    first: date
    last: date
    cash: Decimal
    symbols: tuple[str, ...] = ()

    @property
    def nights(self) -> list[date]:
        """The sessions whose closes decide; what the last one orders trades in the session after it."""
        return sessions_between(self.first, self.last)

    @property
    def sessions(self) -> list[date]:
        """The eve, on which the account is founded, the nights, and the end."""
        return [self.eve, *self.nights, self.end]

    @property
    def eve(self) -> date:
        """The session before the first night."""
        return previous_session(self.nights[0])

    @property
    def end(self) -> date:
        """The session after the last night."""
        return next_session(self.nights[-1])

    def text(self) -> str:
        """As it is kept beside the workspace."""
        return json.dumps([str(self.first), str(self.last), str(self.cash), *self.symbols])


@dataclass(frozen=True)
class Stage:
    """A replay's workspace, its clock and the request."""

    app: _ReplayApp
    clock: SetClock
    request: Request

    @property
    def played(self) -> date | None:
        """The newest session that is done, or None."""
        note = self.app.settings.home / _PLAYED
        return date.fromisoformat(note.read_text(encoding="utf-8")) if note.exists() else None

    def note_played(self, session: date) -> None:
        """Write down that `session` is done."""
        draft = self.app.settings.home / f"{_PLAYED}.new"
        draft.write_text(session.isoformat(), encoding="utf-8")
        draft.replace(self.app.settings.home / _PLAYED)

    @contextmanager
    def kept_open(self) -> Iterator[Stage]:
        """The same with a store that stays open for the length of the block: a night asks it hundreds of times."""
        with replays.kept_open(self.app.store()) as kept:
            yield replace(self, app=replace(self.app, kept=kept))

    def evening_of(self, session: date) -> None:
        """Let the time pass, here and at the gateway, to the evening of `session`."""
        self.clock.instant = evening(session)
        client.advance(self.app.settings.gateway_dir, self.clock.instant)


@dataclass(frozen=True)
class _ReplayApp(App):
    """The app of a replay: a registry that cannot be changed, and if `kept` is given, a store that stays open."""

    kept: Store | None = None

    def store(self) -> Store:
        return self.kept or super().store()

    def source(self, name: str | None = None) -> PriceSource:
        return self._files if name is None else super().source(name)

    def registry(self) -> MlflowRegistry:
        return self._registry

    @cached_property
    def _files(self) -> PriceSource:
        """The bars that were copied. If any was adjusted for dividends, none is taken for what was traded."""
        source = FolderSource(Path(self.settings.price_source))
        kinds = set(pd.read_parquet(self.settings.home / _BARS, columns=["adjustment"])["adjustment"])
        source.adjustment = Adjustment.RAW if kinds <= {Adjustment.RAW} else Adjustment.TOTAL_RETURN
        return source

    @cached_property
    def _registry(self) -> MlflowRegistry:
        return _RememberingRegistry(self.settings.mlflow_uri, self.settings.artifact_root)


class _RememberingRegistry(ReadOnlyRegistry):
    """A version's files do not change: it is loaded once."""

    def version(self, model_name: str, version: int) -> ModelVersion:
        return self._versions(model_name, version)

    def load(self, version: ModelVersion) -> LoadedModel:
        if version.label not in self._loaded:
            self._loaded[version.label] = super().load(version)
        return self._loaded[version.label]

    @cached_property
    def _loaded(self) -> dict[str, LoadedModel]:
        return {}

    @cached_property
    def _versions(self) -> Callable[[str, int], ModelVersion]:
        return cache(super().version)


def evening(session: date) -> datetime:
    """When the night of `session` runs, UTC."""
    return close_at(session) + EVENING


def open_stage(app: App, request: Request, *, resume: bool) -> Stage:
    """The workspace of `request` in HRP_HOME/replays, made anew or, with `resume`, as it was left; its gateway runs.

    Raises:
        RequirementNotMetError: nothing is deployed, or the store lacks prices for a night.
        UsageError: there is nothing to resume, or another request was begun in this folder.
    """
    if not request.nights:
        raise UsageError(f"there is no session from {request.first} to {request.last}; choose other dates")
    home = app.settings.home / "replays" / f"{request.first}_{request.last}"
    if resume:
        _require_begun(home, request)
    else:
        _clear(home)
        _prepare(app, home, request)
    terms = {"actions": str(home / _ACTIONS)}
    running = client.start(
        home / "gateway", home / _BARS, ACCOUNT, clock=evening(request.eve), cash=request.cash, terms=terms
    )
    changes = {
        "home": home,
        "price_source": str(home / "prices"),
        "second_price_source": "",
        "mlflow_tracking_uri": app.settings.mlflow_uri,
        "mlflow_artifacts": app.settings.artifact_root,
        "auto_rollback": False,
        "ibkr_host": "127.0.0.1",
        "ibkr_port": running.port,
        "ibkr_account": ACCOUNT,
        "ibkr_paper_trading": True,
        "allow_live_account": "",
        "smtp_host": "",
    }
    clock = SetClock(evening(request.eve))
    return Stage(_ReplayApp(app.settings.model_copy(update=changes), clock), clock, request)


def close_stage(stage: Stage) -> None:
    """End the gateway; the workspace stays, to be looked at."""
    client.stop(stage.app.settings.gateway_dir)


def _require_begun(home: Path, request: Request) -> None:
    begun = home / _REQUEST
    if not begun.exists():
        raise UsageError(f"there is no replay to resume in {home}; start one without --resume")
    if begun.read_text(encoding="utf-8") != request.text():
        raise UsageError(
            f"the replay in {home} was begun with {begun.read_text(encoding='utf-8')}, not {request.text()}; "
            "resume it with the same options, or start over without --resume"
        )


def _clear(home: Path) -> None:
    if home.exists():
        client.stop(home / "gateway")
        shutil.rmtree(home)


def _prepare(app: App, home: Path, request: Request) -> None:
    """Make the workspace; its request is written last, so that a half-made one is never resumed."""
    if not deployed(app):
        raise RequirementNotMetError("no strategy is deployed, so nothing can be replayed; see: hrp models promote")
    make_home(home)
    app.store().copy_to(home / "hrp.duckdb")
    store, names = Store(home / "hrp.duckdb", home / "published"), list(request.symbols) or None
    with store.read() as con:
        bars, acting = research.load_traded(con, names, FIRST_SESSION, request.end, app.settings.history)
        actions = market.load_corporate_actions(con, sorted({a.symbol for a in acting}), FIRST_SESSION, request.end)
    _require_prices(bars, request)
    with store.write() as con:
        replays.forget_nights(con, evening(request.eve))
    with store.write() as con:  # another section: a key that was deleted cannot be used again in the same one
        _tell_of_the_past(con, bars, actions, request)
        if names:
            _restrict(con, app.settings.universe, names, request)
    (home / "prices").mkdir()
    bars.to_parquet(home / _BARS, index=False)
    actions.to_parquet(home / _ACTIONS, index=False)
    (home / _REQUEST).write_text(request.text(), encoding="utf-8")


def _tell_of_the_past(con: Connection, bars: pd.DataFrame, actions: pd.DataFrame, request: Request) -> None:
    """What was known on the evening of the eve; the rest is for the nights to bring."""
    known_at, eve = evening(request.eve), pd.Timestamp(request.eve)
    past = bars[bars["session"] <= eve]
    for kind, rows in past.groupby("adjustment"):
        market.save_prices(con, rows, known_at, "replay", Adjustment(str(kind)))
    market.save_corporate_actions(con, actions[actions["ex_session"] <= eve], known_at)


def _require_prices(bars: pd.DataFrame, request: Request) -> None:
    have = {stamp.date() for stamp in pd.to_datetime(bars["session"]).unique()}
    missing = [day for day in sessions_between(request.eve, request.end) if day not in have]
    if missing:
        raise RequirementNotMetError(
            f"the store has no prices of {len(missing)} of the sessions {request.eve} to {request.end} that a replay "
            f"of {request.first} to {request.last} needs, the first is {missing[0]}; choose other dates, or fetch them"
        )


def _restrict(con: Connection, universe: str, names: Sequence[str], request: Request) -> None:
    """State the universe anew as `names`, each a member for all of the time."""
    absent = sorted(set(names) - set(market.load_universe(con, universe, request.eve)))
    if absent:
        raise UsageError(f"{', '.join(absent)} not in universe {universe} on {request.eve}; leave them out")
    members = pd.DataFrame({"symbol": list(names), "start_session": FIRST_SESSION, "end_session": None})
    market.save_universe(con, universe, members, evening(request.eve) + timedelta(microseconds=1))
