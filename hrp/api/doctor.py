"""Everything a night needs, looked at one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hrp.api.deployments import ledger
from hrp.data import journal, market
from hrp.data import models as store_models
from hrp.domain.deployment import CHAMPION, HypothesisStatus, champion_by_ledger, is_frozen
from hrp.domain.sessions import last_closed, sessions_apart
from hrp.errors import BrokerError, HRPError, ModelNotFoundError, StaleDataError
from hrp.execution.orders import require_same_time
from hrp.wiring import App


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` says what was found, or what is wrong and what to do; `ok` is None for what was not reached."""

    name: str
    ok: bool | None
    detail: str


def examine(app: App) -> list[Check]:
    """One check per need; each is made whatever became of the others."""
    needs: dict[str, Callable[[App], str]] = {
        "workspace": _workspace,
        "store": _store,
        "lineage": _lineage,
        "prices": _prices,
        "strategies": _strategies,
        "models": _models,
        "broker": _broker,
    }
    return [_checked(name, need, app) for name, need in needs.items()]


def _checked(name: str, need: Callable[[App], str], app: App) -> Check:
    try:
        return Check(name, True, need(app))
    except HRPError as error:
        return Check(name, False, str(error))


def _workspace(app: App) -> str:
    return (
        f"{app.settings.home}, settings {app.env_file or 'from the environment'}, clock {app.clock.now():%F %H:%M} UTC"
    )


def _store(app: App) -> str:
    with app.store().write():
        return f"{app.settings.store_path} can be written"


def _lineage(app: App) -> str:
    with app.store().read() as con:
        broken = journal.verify_chain(con)
        store_models.load_deployments(con)
    if broken is not None:
        raise StaleDataError(
            f"event {broken} of the lineage is not the one that was written; keep a copy and look into it"
        )
    return "the chain of events is whole"


def _prices(app: App) -> str:
    with app.store().read() as con:
        newest = market.newest_session(con)
        members = market.load_universe(con, app.settings.universe, newest) if newest else []
    if newest is None:
        raise StaleDataError("no prices are stored; run: hrp run prices")
    age = sessions_apart(newest, last_closed(app.clock.now()))
    if age > 0:
        raise StaleDataError(f"the newest prices are of {newest}, {age} sessions old; run: hrp run prices")
    return f"{len(members)} symbols through {newest}"


def _strategies(app: App) -> str:
    with app.store().read() as con:
        deployed = store_models.load_strategies(con, HypothesisStatus.DEPLOYED)
    if not deployed:
        raise ModelNotFoundError(
            "no strategy is deployed; run: hrp train MODEL, then: hrp models promote MODEL VERSION"
        )
    return ", ".join(f"{s.hypothesis_id} trades {s.model_name} with {s.allocation:.0%}" for s in deployed)


def _models(app: App) -> str:
    with app.store().read() as con:
        names = sorted({s.model_name for s in store_models.load_strategies(con, HypothesisStatus.DEPLOYED)})
    return ", ".join(_model(app, name) for name in names) or "none"


def _model(app: App, name: str) -> str:
    history = ledger(app, name)
    current, aliased = champion_by_ledger(history), app.registry().alias(name, CHAMPION)
    if current is None or current.to_version is None or current.to_version != aliased:
        raise ModelNotFoundError(
            f"{name}: the ledger says v{current and current.to_version}, the alias v{aliased}; the next night gates "
            f"the alias, or decide now: hrp models promote {name} VERSION"
        )
    app.registry().load(app.registry().version(name, current.to_version))
    return f"{name} v{current.to_version}{' (frozen)' if is_frozen(history) else ''}"


def _broker(app: App) -> str:
    with app.broker() as broker:
        require_same_time(broker.server_time(), app.clock.now())
        state = broker.state()
    if state.account.net_liquidation <= 0:
        raise BrokerError(
            f"account {state.account.account} states a net liquidation of {state.account.net_liquidation}"
        )
    return (
        f"account {state.account.account}, {state.account.net_liquidation:,.2f} USD, {len(state.positions)} positions"
    )
