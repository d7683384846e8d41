"""Which version trades: promotion through the gate, rollback, and the ledger that the alias must agree with.

The ledger is written before the alias moves (`intent`) and after it (`done`). The night trusts the ledger; an
alias that was moved elsewhere, such as in the MLflow UI, is examined by the same gate and either written to the
ledger or moved back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from hrp.api.gate import Backtest, gate
from hrp.data import models as store_models
from hrp.domain.deployment import (
    CHAMPION,
    Deployment,
    DeploymentAction,
    DeploymentState,
    ModelVersion,
    Strategy,
    champion_by_ledger,
    is_frozen,
    previous_good,
)
from hrp.domain.promotion import GateCheck, refusals
from hrp.errors import ModelNotFoundError, PromotionRefusedError
from hrp.wiring import App


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that trades tonight and how it came about; `notice` is empty unless a person should know."""

    version: ModelVersion
    frozen: bool
    notice: str = ""


def ledger(app: App, model_name: str) -> list[Deployment]:
    """Every line of one model's ledger, oldest first."""
    with app.store().read() as con:
        return store_models.load_deployments(con, model_name)


def judge(app: App, model_name: str, version: int, backtest: Backtest | None = None) -> list[GateCheck]:
    """What the gate says of a version, held beside the champion; nothing is written.

    Raises:
        ModelNotFoundError: the registry has no such version.
    """
    current = champion_by_ledger(ledger(app, model_name))
    candidate = app.registry().version(model_name, version)
    return gate(app, candidate, champion=_version_of(current), backtest=backtest)


def promote(
    app: App,
    model_name: str,
    version: int,
    *,
    session: date,
    actor: str,
    reason: str,
    backtest: Backtest | None = None,
) -> Deployment:
    """Make `version` the champion if the gate lets it pass; a champion already in place is left as it is.

    What the gate found, figure by figure, is in the ledger either way; see `hrp.api.gate.gate` for `backtest`.

    Raises:
        ModelNotFoundError: the registry has no such version.
        PromotionRefusedError: the gate found reasons; they are in the ledger and in the message.
    """
    candidate = app.registry().version(model_name, version)
    history = ledger(app, model_name)
    current = champion_by_ledger(history)
    aliased = app.registry().alias(model_name, CHAMPION)
    if current and current.to_version == version == aliased and not is_frozen(history):
        return current
    checks = judge(app, model_name, version, backtest)
    evidence = {"checks": [check.facts() for check in checks]}
    entry = _entry(app, candidate, DeploymentAction.PROMOTE, _version_of(current), session, actor, reason, evidence)
    if reasons := refusals(checks):
        _append(app, replace(entry, action=DeploymentAction.REFUSE, state=DeploymentState.DONE))
        raise PromotionRefusedError(
            f"{candidate.label} was refused: {'; '.join(reasons)}; train another version: hrp train {model_name}"
        )
    return _move(app, entry)


def rollback(
    app: App, model_name: str, *, to_version: int | None, session: date, actor: str, reason: str
) -> Deployment | None:
    """Move the champion back to `to_version`, by default the previous good one.

    Returns:
        The ledger's line, or None if there is no version to go back to; the model is then frozen (no new buys).

    Raises:
        ModelNotFoundError: nothing is deployed under this name, or `to_version` does not exist.
        PromotionRefusedError: the version to go back to no longer passes the gate.
    """
    history = ledger(app, model_name)
    current = champion_by_ledger(history)
    if current is None:
        raise ModelNotFoundError(f"{model_name} has no champion to roll back; see: hrp models list {model_name}")
    target = previous_good(history) if to_version is None else to_version
    if target is None:
        freeze(app, model_name, session=session, actor=actor, reason=f"{reason}; no previous good version")
        return None
    candidate = app.registry().version(model_name, target)
    checks = gate(app, candidate)
    if reasons := refusals(checks):
        raise PromotionRefusedError(f"cannot roll back to {candidate.label}: {'; '.join(reasons)}")
    evidence = {"checks": [check.facts() for check in checks]}
    entry = _entry(app, candidate, DeploymentAction.ROLLBACK, current.to_version, session, actor, reason, evidence)
    return _move(app, entry)


def roll_back_once(app: App, model_name: str, from_version: int, session: date, reason: str) -> str:
    """Roll `from_version` back if it is still the champion; what was done, in words."""
    current = champion_by_ledger(ledger(app, model_name))
    if current is None or current.to_version != from_version:
        return f"{model_name} v{from_version} was replaced before; it may not buy tonight: {reason}"
    try:
        done = rollback(app, model_name, to_version=None, session=session, actor="drift-monitor", reason=reason)
    except (PromotionRefusedError, ModelNotFoundError) as error:
        freeze(app, model_name, session=session, actor="drift-monitor", reason=f"{reason}; {error}")
        return f"{model_name} v{from_version} is frozen, no version to go back to passes: {error}"
    if done is None:
        return f"{model_name} v{from_version} is frozen, there is no previous good version: {reason}"
    return f"{model_name} v{from_version} was rolled back to v{done.to_version}, which trades next session: {reason}"


def pinned_champion(app: App, strategy: Strategy, session: date) -> Champion:
    """The version that predicted `session` before, so that a second run repeats the first; else tonight's champion."""
    with app.store().read() as con:
        pinned = store_models.predicted_version(con, session, strategy.hypothesis_id)
    if pinned is None:
        return resolve_champion(app, strategy.model_name, session)
    version = app.registry().version(strategy.model_name, pinned)
    return Champion(version, is_frozen(ledger(app, strategy.model_name)))


def freeze(app: App, model_name: str, *, session: date, actor: str, reason: str) -> None:
    """Forbid new buys for this model until it is promoted, rolled back or unfrozen; done once only."""
    _hold(app, model_name, DeploymentAction.FREEZE, session, actor, reason)


def unfreeze(app: App, model_name: str, *, session: date, actor: str, reason: str) -> None:
    """Lift a freeze."""
    _hold(app, model_name, DeploymentAction.UNFREEZE, session, actor, reason)


def record_retirement(app: App, model_name: str, *, session: date, actor: str, reason: str) -> None:
    """Write down that the champion no longer trades.

    Raises:
        ModelNotFoundError: there is no champion.
    """
    _note(app, model_name, DeploymentAction.RETIRE, session, actor, reason)


def resolve_champion(app: App, model_name: str, session: date) -> Champion:
    """The version for tonight, alias and ledger brought into agreement.

    Raises:
        ModelNotFoundError: neither ledger nor alias names a champion, or its version is gone.
    """
    history = _finish_intent(app, ledger(app, model_name))
    recorded = champion_by_ledger(history)
    aliased = app.registry().alias(model_name, CHAMPION)
    if recorded is None and aliased is None:
        raise ModelNotFoundError(
            f"{model_name} has no champion; choose one: hrp models list {model_name}, "
            f"then hrp models promote {model_name} VERSION"
        )
    notice = ""
    if aliased is not None and aliased != _version_of(recorded):
        notice = _adopt_or_revert(app, model_name, aliased, recorded, session)
        recorded = champion_by_ledger(ledger(app, model_name))
    elif aliased is None and recorded is not None:
        notice = f"alias {CHAMPION} of {model_name} was missing and points to v{recorded.to_version} again"
        app.registry().set_alias(model_name, CHAMPION, _required(recorded))
    if recorded is None:
        raise ModelNotFoundError(f"{model_name} has no champion that passes the gate; {notice}")
    version = app.registry().version(model_name, _required(recorded))
    if version.artifact_sha256 != recorded.artifact_sha256:
        raise PromotionRefusedError(
            f"files of {version.label} have hash {version.artifact_sha256[:12]}, the ledger says "
            f"{recorded.artifact_sha256[:12]}; promote a version you trust: hrp models promote {model_name} VERSION"
        )
    return Champion(version, is_frozen(ledger(app, model_name)), notice)


def _adopt_or_revert(app: App, model_name: str, aliased: int, recorded: Deployment | None, session: date) -> str:
    """Gate an alias that was moved outside of HRP: into the ledger if it passes, back if not."""
    try:
        promote(app, model_name, aliased, session=session, actor="mlflow", reason="alias moved outside of HRP")
    except PromotionRefusedError as error:
        if recorded is None:
            return str(error)
        app.registry().set_alias(model_name, CHAMPION, _required(recorded))
        return f"alias moved to v{aliased} outside of HRP was put back to v{recorded.to_version}: {error}"
    return f"promotion of {model_name} v{aliased} made outside of HRP passed the gate and is in the ledger"


def _finish_intent(app: App, history: list[Deployment]) -> list[Deployment]:
    """Complete a move that was cut off between the two lines of the ledger."""
    last = history[-1] if history else None
    if last is None or last.state is DeploymentState.DONE or last.to_version is None:
        return history
    app.registry().set_alias(last.model_name, CHAMPION, last.to_version)
    _append(app, replace(last, state=DeploymentState.DONE, at=app.clock.now()))
    return ledger(app, last.model_name)


def _move(app: App, entry: Deployment) -> Deployment:
    """Intent, alias, done."""
    _append(app, entry)
    app.registry().set_alias(entry.model_name, CHAMPION, _required(entry))
    done = replace(entry, state=DeploymentState.DONE, at=app.clock.now())
    _append(app, done)
    return done


def _hold(app: App, model_name: str, action: DeploymentAction, session: date, actor: str, reason: str) -> None:
    """Freeze or unfreeze, once."""
    if is_frozen(ledger(app, model_name)) != (action is DeploymentAction.FREEZE):
        _note(app, model_name, action, session, actor, reason)


def _note(app: App, model_name: str, action: DeploymentAction, session: date, actor: str, reason: str) -> None:
    """A line of the ledger about the present champion that moves no alias."""
    current = champion_by_ledger(ledger(app, model_name))
    if current is None:
        raise ModelNotFoundError(f"{model_name} has no champion; see: hrp models list {model_name}")
    version = app.registry().version(model_name, _required(current))
    entry = _entry(app, version, action, current.to_version, session, actor, reason)
    _append(app, replace(entry, state=DeploymentState.DONE))


def _entry(
    app: App,
    version: ModelVersion,
    action: DeploymentAction,
    from_version: int | None,
    session: date,
    actor: str,
    reason: str,
    evidence: Mapping[str, object] | None = None,
) -> Deployment:
    return Deployment(
        model_name=version.model_name,
        action=action,
        state=DeploymentState.INTENT,
        from_version=from_version,
        to_version=version.version,
        artifact_sha256=version.artifact_sha256,
        session=session,
        actor=actor,
        reason=reason,
        at=app.clock.now(),
        evidence=evidence or {},
    )


def _append(app: App, entry: Deployment) -> None:
    with app.store().write() as con:
        store_models.append_deployment(con, entry)


def _version_of(entry: Deployment | None) -> int | None:
    return None if entry is None else entry.to_version


def _required(entry: Deployment) -> int:
    if entry.to_version is None:
        raise ModelNotFoundError(f"the ledger's line of {entry.model_name} at {entry.at} names no version")
    return entry.to_version
