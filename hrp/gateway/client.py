"""The gateway as the rest of HRP handles it: start, status, advance, reload, stop, message log."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from hrp.errors import ConfigError
from hrp.gateway import channel
from hrp.gateway.errors import GatewayError, GatewayNotRunningError
from hrp.gateway.layouts import USUAL_VERSION
from hrp.gateway.messagelog import LoggedMessage, read_log
from hrp.gateway.process import Running, is_alive, read_note
from hrp.gateway.records import Advance
from hrp.gateway.scenario import Scenario, load

LOG_NAME = "gateway.log"
_QUICK_SECONDS = 10.0
_ADVANCE_SECONDS = 600.0
_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """A running gateway and what it holds: the simulated clock (UTC), money in USD, ids of connected clients."""

    running: Running
    clock: datetime
    market: Path
    last_session: date
    cash: Decimal
    net_liquidation: Decimal
    working_orders: int
    clients: tuple[int, ...]


def start(
    state_dir: Path,
    market: Path,
    account: str,
    *,
    port: int = 0,
    clock: datetime | None = None,
    cash: Decimal = Decimal("1000000.00"),
    terms: Mapping[str, str] | None = None,
    scenario: Scenario | Path | str | None = None,
    server_version: int = USUAL_VERSION,
) -> Running:
    """Start a gateway of its own process and wait until it listens; one that runs already is returned as it is.

    Args:
        clock: the first simulated instant; default: the last close in `market`. Like `cash`, it counts only for a
            new state directory: an old one continues where it stopped.
        terms: how the account trades, by the names in `hrp.gateway.terms`; what is not named stays as it was.
        scenario: what goes wrong, as a record, a file, or a name of the library; each start says it anew. How often
            its faults happened is kept with the state.
        server_version: the newest version to speak, 157 to 178.

    Raises:
        ConfigError: `clock` has no zone, or there is no such scenario.
        GatewayError: another account's gateway runs here, or any does and there is a scenario to begin; or the new
            one ended at once; its words are the message.
    """
    if clock is not None and clock.tzinfo is None:
        raise ConfigError(f"clock {clock} has no time zone")
    state_dir.mkdir(parents=True, exist_ok=True)
    child = None
    if is_alive(state_dir) and scenario:
        raise GatewayError(f"a gateway runs in {state_dir}, and scenarios begin with it; stop it: hrp gateway stop")
    if not is_alive(state_dir):
        options = {"state": state_dir, "market": market, "account": account, "port": port, "cash": cash}
        options |= {"server-version": server_version, **(terms or {})}
        options |= {"clock": clock.isoformat()} if clock else {}
        options |= {"scenario": _write_scenario(state_dir, scenario)} if scenario else {}
        child = _spawn(state_dir, options)
    found = _wait_until_listening(state_dir, child)
    if child:
        child.returncode = 0  # it outlives this process on purpose; `stop` reaps it
    if found.account != account:
        raise GatewayError(
            f"a gateway for account {found.account} runs in {state_dir}, not for {account}; stop it: hrp gateway stop"
        )
    return found


def running(state_dir: Path) -> Running | None:
    """Where the gateway of `state_dir` listens, or None if none runs; a note left by a dead one is ignored."""
    return read_note(state_dir) if is_alive(state_dir) else None


def status(state_dir: Path) -> Status:
    """What the gateway of `state_dir` holds now.

    Raises:
        GatewayNotRunningError: none runs there.
    """
    found, said = _ask(state_dir, channel.STATUS, _QUICK_SECONDS)
    return Status(
        running=found,
        clock=datetime.fromisoformat(said["clock"]),
        market=Path(said["market"]),
        last_session=date.fromisoformat(said["last_session"]),
        cash=Decimal(said["cash"]),
        net_liquidation=Decimal(said["net_liquidation"]),
        working_orders=said["working_orders"],
        clients=tuple(said["clients"]),
    )


def advance(state_dir: Path, to: datetime) -> Advance:
    """Move the simulated clock to the aware instant `to`, through every open and close on the way.

    The market file is read again first if it has changed. Advancing to where the clock stands does nothing.

    Raises:
        ConfigError: `to` has no zone.
        GatewayNotRunningError: no gateway runs there.
        GatewayError: `to` lies behind the clock.
    """
    if to.tzinfo is None:
        raise ConfigError(f"instant {to} has no time zone")
    _, said = _ask(state_dir, channel.ADVANCE, _ADVANCE_SECONDS, to=to.astimezone(UTC).isoformat())
    moved_to = datetime.fromisoformat(said["clock"])
    return Advance(moved_to, said["opens"], said["closes"], said["fills"], said["ended"])


def reload(state_dir: Path) -> bool:
    """Read the market file again if it has changed; True if it had.

    Raises:
        GatewayNotRunningError: no gateway runs there.
    """
    return bool(_ask(state_dir, channel.RELOAD, _ADVANCE_SECONDS)[1]["reloaded"])


def stop(state_dir: Path) -> bool:
    """End the gateway of `state_dir` and wait until its process is gone; False if none ran.

    Raises:
        GatewayError: the process does not end.
    """
    found = running(state_dir)
    if found is None:
        return False
    _ask(state_dir, channel.STOP, _QUICK_SECONDS)
    for _ in range(_tries()):
        if not is_alive(state_dir):
            _reap(found.pid)
            return True
        time.sleep(_PAUSE_SECONDS)
    raise GatewayError(f"gateway process {found.pid} was told to stop and still runs; end it: kill {found.pid}")


def message_log(
    state_dir: Path,
    *,
    direction: str | None = None,
    message_id: int | None = None,
    client_id: int | None = None,
    after: int = 0,
) -> list[LoggedMessage]:
    """Every message that went in or out, in order, narrowed by whatever is given; the gateway need not run.

    `message_log(state, direction="in", message_id=3)` are the orders received; each has `client_id` and `order_ref`.

    Raises:
        GatewayError: no gateway ever ran in `state_dir`.
    """
    return read_log(state_dir, direction=direction, message_id=message_id, client_id=client_id, after=after)


def _write_scenario(state_dir: Path, said: Scenario | Path | str) -> Path:
    """A copy of the scenario beside the state, so that it is still there when the gateway starts again."""
    scenario = said if isinstance(said, Scenario) else load(said)
    path = state_dir / f"{scenario.name}.yaml"
    path.write_text(scenario.text())
    return path


def _spawn(state_dir: Path, options: Mapping[str, object]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hrp.gateway"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with (state_dir / LOG_NAME).open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _wait_until_listening(state_dir: Path, child: subprocess.Popen[bytes] | None) -> Running:
    for _ in range(_tries()):
        found = running(state_dir)
        if found and _answers(found):
            return found
        if child and child.poll() is not None and not is_alive(state_dir):
            break
        time.sleep(_PAUSE_SECONDS)
    if child:
        child.kill()
        child.wait()
    log = state_dir / LOG_NAME
    words = log.read_text().splitlines() if log.exists() else []
    raise GatewayError(
        f"the gateway in {state_dir} did not start: {words[-1] if words else 'it said nothing'} (see {log})"
    )


def _answers(found: Running) -> bool:
    try:
        said = channel.call(found.control_port, channel.STATUS, timeout_seconds=_QUICK_SECONDS)
    except GatewayNotRunningError:
        return False
    return bool(said["pid"] == found.pid)


def _ask(state_dir: Path, command: str, timeout_seconds: float, **arguments: str) -> tuple[Running, channel.Reply]:
    """What the gateway says to `command`; one that a scenario restarts is waited for."""
    for _ in range(_tries()):
        found = running(state_dir)
        if found is None:
            break
        try:
            return found, channel.call(found.control_port, command, timeout_seconds=timeout_seconds, **arguments)
        except GatewayNotRunningError as error:
            if not is_alive(state_dir) or isinstance(error.__cause__, TimeoutError):
                raise
        time.sleep(_PAUSE_SECONDS)
    raise GatewayNotRunningError(f"no gateway runs in {state_dir}; start it: hrp gateway start")


def _reap(pid: int) -> None:
    """Wait for the end of `pid` if it is a child of this process."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _tries() -> int:
    return round(_PATIENCE_SECONDS / _PAUSE_SECONDS)
