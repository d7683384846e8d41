"""The life of a hypothesis out of store and registry: written, tested, looked at on held-out sessions, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.api.inference import panel, window
from hrp.data import hypotheses as store_hypotheses
from hrp.data import market
from hrp.data import models as store_models
from hrp.domain.deployment import HypothesisStatus, ModelVersion, Strategy
from hrp.domain.hypothesis import (
    OPEN,
    Criterion,
    HypothesisAction,
    HypothesisEvent,
    Life,
    Look,
    judge_evidence,
    life_of,
    of_model,
    require_move,
)
from hrp.domain.overfitting import TRIALS
from hrp.domain.sessions import previous_session, sessions_between
from hrp.errors import DataError, HypothesisError, RequirementNotMetError, UsageError
from hrp.ml.dataset import EARNED
from hrp.ml.labels import label_named
from hrp.ml.scoring import score
from hrp.wiring import App

HELD_OUT_SESSIONS = 252


def find(app: App, hypothesis_id: str) -> tuple[Strategy, list[HypothesisEvent]]:
    """A hypothesis and its history, oldest first.

    Raises:
        UsageError: there is none of this id.
        DataError: history and status do not agree, or a line of the history was changed.
    """
    found = [pair for pair in find_all(app) if pair[0].hypothesis_id == hypothesis_id]
    if not found:
        raise UsageError(f"there is no hypothesis {hypothesis_id}; see: hrp research list")
    return found[0]


def find_all(app: App) -> list[tuple[Strategy, list[HypothesisEvent]]]:
    """Every hypothesis with its history, by id. Raises DataError as `find` does."""
    with app.store().read() as con:
        strategies, lines = store_models.load_strategies(con), store_hypotheses.load_history(con)
    found = [(s, [line for line in lines if line.hypothesis_id == s.hypothesis_id]) for s in strategies]
    for strategy, history in found:
        told, name = life_of(history).status, strategy.hypothesis_id
        if told not in (None, strategy.status):
            raise DataError(
                f"{name} is {strategy.status} and its history ends {told}; restore the store from a published copy"
            )
    return found


def hypothesis_of(app: App, model_name: str) -> tuple[Strategy, Life] | None:
    """The hypothesis that speaks for a model with its life, or None."""
    known = {strategy.hypothesis_id: (strategy, history) for strategy, history in find_all(app)}
    ours = of_model([strategy for strategy, _ in known.values()], model_name)
    return None if ours is None else (ours, life_of(known[ours.hypothesis_id][1]))


def write(
    app: App, title: str, model_name: str, test: Sequence[str], *, actor: str, allocation: Decimal = Decimal(1)
) -> Strategy:
    """A new draft with what would refute it.

    Args:
        test: criteria such as `rank_ic_low > 0`, all of which must hold.

    Raises:
        UsageError: there is no criterion, or one cannot be read.
        HypothesisError: the model has a hypothesis that is not at its end.
    """
    criteria = [str(Criterion.parse(line)) for line in test]
    if not criteria:
        raise UsageError("a hypothesis needs what would refute it; write it as --test 'rank_ic_low > 0'")
    known = hypothesis_of(app, model_name)
    if known and known[0].status in OPEN:
        raise HypothesisError(
            f"{known[0].hypothesis_id} about {model_name} is {known[0].status}; reject or retire it first, or name "
            f"another model"
        )
    strategy = new_strategy(app, title, model_name, HypothesisStatus.DRAFT, allocation)
    return record(app, strategy, HypothesisAction.NEW, actor=actor, reason=title, evidence={"test": criteria}, new=True)


def begin_testing(app: App, hypothesis_id: str, *, held_out_sessions: int, actor: str, reason: str) -> Strategy:
    """Seal the test and hold the newest sessions of the store out.

    Raises:
        RequirementNotMetError: the store has no prices.
        HypothesisError: it is not a draft.
    """
    strategy, history = find(app, hypothesis_id)
    with app.store().read() as con:
        last = market.newest_session(con)
    if last is None:
        raise RequirementNotMetError("the store has no prices to test on; run: hrp run prices")
    versions = app.registry().versions(strategy.model_name)
    evidence = {
        "seal": life_of(history).seal,
        "held_out": [previous_session(last, held_out_sessions - 1), last],
        "newest_version": versions[-1].version if versions else 0,
    }
    moved = replace(strategy, status=HypothesisStatus.TESTING)
    return record(app, moved, HypothesisAction.TEST, actor=actor, reason=reason, evidence=evidence)


def last_training_session(app: App, model_name: str, through: date) -> date:
    """`through`, or the session before those that are held out while the model's hypothesis is being tested."""
    known = hypothesis_of(app, model_name)
    if known is None or known[0].status is not HypothesisStatus.TESTING or known[1].trial is None:
        return through
    return min(through, previous_session(known[1].trial.held_out[0]))


def require_look(app: App, model_name: str, reason: str) -> Strategy:
    """The hypothesis under test, if another look at its held-out sessions may be taken.

    Raises:
        HypothesisError: the model has none under test, or it had a look before and no reason is given for another.
    """
    known = hypothesis_of(app, model_name)
    if known is None or known[0].status is not HypothesisStatus.TESTING:
        raise HypothesisError(f"no hypothesis about {model_name} is being tested; see: hrp research list")
    strategy, life = known
    if life.looks and not reason:
        raise HypothesisError(
            f"{strategy.hypothesis_id} had {len(life.looks)} of its looks at the held-out sessions, the last at "
            f"v{life.looks[-1].version}; another one counts as a further trial and needs --reason"
        )
    return strategy


def take_look(app: App, version: ModelVersion, *, actor: str, reason: str) -> Look:
    """Evaluate `version` on the held-out sessions; it is in the history before anybody sees it.

    Every version that was trained since testing began counts with its trials, and every look after the first.

    Raises:
        HypothesisError: see `require_look`; or the version was trained on sessions that are held out.
    """
    strategy = require_look(app, version.model_name, reason)
    life = life_of(find(app, strategy.hypothesis_id)[1])
    if life.trial is None or version.trained_through >= life.trial.held_out[0]:
        raise HypothesisError(f"{version.label} was trained through {version.trained_through}, which is held out")
    tried = [v for v in app.registry().versions(version.model_name) if v.version > life.trial.newest_version]
    trials = sum(int(v.metrics.get(TRIALS, 1)) for v in tried) + len(life.looks)
    metrics = _held_out_metrics(app, version, *life.trial.held_out, trials)
    evidence = {"version": version.version, "trials": trials, "metrics": metrics}
    why = reason or "the first look"
    record(app, strategy, HypothesisAction.LOOK, actor=actor, reason=why, evidence=evidence)
    return Look(version.version, trials, metrics)


def validate(app: App, hypothesis_id: str, version: int | None, *, actor: str, reason: str) -> Strategy:
    """Take the evidence of a version (default: the one looked at last) for the hypothesis.

    Raises:
        HypothesisError: the evidence does not meet the sealed test, or it is not being tested.
    """
    strategy, history = find(app, hypothesis_id)
    require_move(hypothesis_id, strategy.status, HypothesisStatus.VALIDATED)
    life = life_of(history)
    number = version or (life.looks[-1].version if life.looks else None)
    if number is None:
        raise HypothesisError(
            f"{hypothesis_id} has no evidence: no version was evaluated on the held-out sessions; "
            f"run: hrp train {strategy.model_name} --final-look"
        )
    candidate = app.registry().version(strategy.model_name, number)
    reasons = judge_evidence(life, candidate)
    if reasons:
        raise HypothesisError(
            f"{hypothesis_id} is not validated by {candidate.label}: {'; '.join(reasons)}; if that refutes it: "
            f"hrp research reject {hypothesis_id}"
        )
    evidence = {"version": number, "run_id": candidate.run_id, "artifact_sha256": candidate.artifact_sha256}
    moved = replace(strategy, status=HypothesisStatus.VALIDATED)
    return record(app, moved, HypothesisAction.VALIDATE, actor=actor, reason=reason, evidence=evidence)


def reject(app: App, hypothesis_id: str, *, actor: str, reason: str) -> Strategy:
    """End a hypothesis that is refuted or given up.

    Raises:
        HypothesisError: it trades or has traded; retire it.
    """
    strategy = replace(find(app, hypothesis_id)[0], status=HypothesisStatus.REJECTED)
    return record(app, strategy, HypothesisAction.REJECT, actor=actor, reason=reason)


def new_strategy(
    app: App, title: str, model_name: str, status: HypothesisStatus, allocation: Decimal = Decimal(1)
) -> Strategy:
    """A hypothesis under the next free id, not stored yet."""
    with app.store().read() as con:
        name = store_models.new_hypothesis_id(con, app.clock.now().year)
    return Strategy(name, title, model_name, status, allocation, app.settings.universe)


def record(
    app: App,
    strategy: Strategy,
    action: HypothesisAction,
    *,
    actor: str,
    reason: str,
    evidence: Mapping[str, object] | None = None,
    new: bool = False,
) -> Strategy:
    """Keep `strategy` as it now is, with a line of its history that says how it came about.

    Raises:
        HypothesisError: it may not get the status that it has here.
    """
    before = None if new else find(app, strategy.hypothesis_id)[0].status
    if action is not HypothesisAction.LOOK:
        require_move(strategy.hypothesis_id, before, strategy.status)
    name, at = strategy.hypothesis_id, app.clock.now()
    event = HypothesisEvent(name, action, strategy.status, actor, reason, at, evidence or {})
    with app.store().write() as con:
        store_models.save_strategy(con, strategy)
        store_hypotheses.append_event(con, event)
    return strategy


def _held_out_metrics(app: App, version: ModelVersion, first: date, last: date, trials: int) -> dict[str, float]:
    """What `hrp.ml.scoring.score` says of the predictions of `version` for the sessions from `first` to `last`."""
    params, count = app.registry().params(version), len(sessions_between(first, last))
    horizon = int(params["horizon"])
    label = label_named(params["label"].removesuffix(f"_{horizon}"), horizon)
    seen = window(app, app.registry().load(version), last, count).set_index(["session", "symbol"])["prediction"]
    symbols = sorted(set(seen.index.get_level_values("symbol")))
    earned = label.earned(panel(app, symbols, last, count)).rename_axis(index="session", columns="symbol")
    came = earned.melt(ignore_index=False, value_name=EARNED).set_index("symbol", append=True)[EARNED]
    scored = pd.concat([seen, came], axis=1, join="inner").dropna().sort_index()
    if scored.empty:
        raise RequirementNotMetError(f"no outcome is known for the held-out sessions from {first} to {last}")
    return score(scored.assign(fold=1), horizon, tried={TRIALS: float(trials)})
