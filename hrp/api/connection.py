"""The way to the broker, step by step: how far it leads, and what to do where it ends."""

from __future__ import annotations

from hrp.api.doctor import Check
from hrp.data import market
from hrp.errors import BrokerConnectionError, BrokerError, ClientIdInUseError, HRPError, WrongAccountError
from hrp.execution.account import prove_settings
from hrp.execution.orders import require_same_time
from hrp.ports import Broker
from hrp.wiring import App

# What to do where a step fails, in the order in which they are taken.
STEPS = {
    "settings": "mend the settings file; hrp init writes an example",
    "listener": "start TWS or IB Gateway and log in; compare its Socket port with IBKR_PORT, tick Enable ActiveX and "
    "Socket Clients, press OK",
    "handshake": "answer open dialogs, tick Enable ActiveX and Socket Clients, add this machine to Trusted IPs or "
    "untick Allow connections from localhost only, then restart TWS",
    "client id": "let the other program end; give it another client id, not this one",
    "account": "log in to the paper account that IBKR_ACCOUNT names, and to no other",
    "clocks": "set the host's clock by NTP and HRP_CLOCK=system; with the paper gateway give both the same instant",
    "state": "log in to TWS anew, wait until its data connections stand, then once more",
    "instrument": "look whether TWS knows the symbol and the account may trade it",
}
ANY_SYMBOL = "AAPL"  # while nothing is held and no universe is stored


def examine_broker(app: App) -> list[Check]:
    """One check per step; after the first that fails the others are not reached."""
    passed: dict[str, str] = {}
    try:
        _walk(app, passed)
    except HRPError as error:
        failed = _failed(error, passed)
        before = list(STEPS)[: list(STEPS).index(failed)]
        checks = [Check(name, True, passed.get(name, "passed")) for name in before]
        checks.append(Check(failed, False, f"{error}; to do: {STEPS[failed]}"))
        return [*checks, *(Check(name, None, "not reached") for name in list(STEPS)[len(checks) :])]
    return [Check(name, True, detail) for name, detail in passed.items()]


def _walk(app: App, passed: dict[str, str]) -> None:
    config = app.broker_config()
    prove_settings(config)
    broker = app.broker()
    mode = "paper" if config.paper_trading else "live"
    passed["settings"] = f"{config.address}, client id {config.client_id}, {mode} account {config.account}"
    with broker:
        passed["listener"] = f"somebody listens at {config.address}"
        passed["handshake"] = "the API is on and takes this machine"
        passed["client id"] = f"{config.client_id} was free"
        passed["account"] = f"the server serves {config.account}"
        at, now = broker.server_time(), app.clock.now()
        require_same_time(at, now)
        passed["clocks"] = f"{abs(at - now).total_seconds():.0f} s apart"
        passed["state"] = _state(broker)
        passed["instrument"] = _instrument(app, broker)


def _state(broker: Broker) -> str:
    state = broker.state()
    money = state.account
    if money.net_liquidation <= 0:
        raise BrokerError(f"account {money.account} states a net liquidation of {money.net_liquidation}")
    parts = f"{len(state.positions)} positions, {len(state.working)} working orders, {len(state.fills)} executions"
    return f"complete: {money.net_liquidation:,.2f} USD, {parts}"


def _instrument(app: App, broker: Broker) -> str:
    with app.store().read() as con:
        newest = market.newest_session(con)
        members = market.load_universe(con, app.settings.universe, newest) if newest else []
    symbol = next(iter(members), ANY_SYMBOL)
    found = broker.qualify([symbol]).get(symbol)
    if found is None:
        raise BrokerError(f"the broker knows no single instrument for {symbol}")
    return f"{symbol} is {found.con_id} at {found.primary_exchange}"


def _failed(error: HRPError, passed: dict[str, str]) -> str:
    """The step that `error` belongs to; of one that ends the opening of the connection, the error itself tells."""
    step = next(name for name in STEPS if name not in passed)
    if step != "listener":
        return step
    if isinstance(error, ClientIdInUseError):
        return "client id"
    if isinstance(error, WrongAccountError):
        return "account"
    cause = error.__cause__
    nobody = isinstance(error, BrokerConnectionError) and isinstance(cause, OSError)
    return "listener" if nobody and not isinstance(cause, TimeoutError) else "handshake"
