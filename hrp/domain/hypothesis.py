"""The life of a hypothesis: what would refute it is written first, and sealed when testing begins.

A sealed test says nothing unless it can fail, so it is never changed: another test is another hypothesis. Some
sessions at the end of the history are held out: no training touches them until a look is taken, and every look counts
(Bailey and López de Prado, 2014: what was tried often enough succeeds by chance).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Self

from hrp.domain.deployment import HypothesisStatus, ModelVersion, Strategy
from hrp.domain.lineage import digest
from hrp.errors import DataError, HypothesisError, UsageError

S = HypothesisStatus

# What may follow; None is before it was written. A model that is deployed by hand has its strategy at once.
MOVES: Mapping[HypothesisStatus | None, frozenset[HypothesisStatus]] = {
    None: frozenset({S.DRAFT, S.DEPLOYED}),
    S.DRAFT: frozenset({S.TESTING, S.REJECTED}),
    S.TESTING: frozenset({S.VALIDATED, S.REJECTED}),
    S.VALIDATED: frozenset({S.DEPLOYED, S.REJECTED, S.RETIRED}),
    S.DEPLOYED: frozenset({S.RETIRED}),
    S.RETIRED: frozenset({S.DEPLOYED}),
    S.REJECTED: frozenset(),
    S.DELETED: frozenset(),
}
OPEN = frozenset({S.DRAFT, S.TESTING, S.VALIDATED, S.DEPLOYED})
UNPROVEN = frozenset({S.DRAFT, S.TESTING, S.REJECTED})

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CRITERION = re.compile(r"\s*([a-z]\w*)\s*(>=|<=|>|<)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of a falsification test: a metric, a comparison and a bar. The hypothesis is refuted if it fails."""

    metric: str
    comparison: str
    bar: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """The criterion written as `rank_ic_low > 0`.

        Raises:
            UsageError: it is written otherwise.
        """
        found = _CRITERION.fullmatch(text)
        if found is None:
            raise UsageError(f"the test {text!r} is not METRIC COMPARISON BAR; write it as 'rank_ic_low > 0'")
        return cls(found[1], found[2], float(found[3]))

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.bar:g}"

    def holds(self, value: float) -> bool:
        """True if `value` is a finite number that meets the bar."""
        return math.isfinite(value) and _COMPARISONS[self.comparison](value, self.bar)


class HypothesisAction(StrEnum):
    """What an entry of the history is; `look` alone moves nothing."""

    NEW = "new"
    TEST = "test"
    LOOK = "look"
    VALIDATE = "validate"
    REJECT = "reject"
    DEPLOY = "deploy"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class HypothesisEvent:
    """One line of the append-only history. `status` is the one after it."""

    hypothesis_id: str
    action: HypothesisAction
    status: HypothesisStatus
    actor: str
    reason: str
    at: datetime
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is fixed when testing begins.

    `seal` is the sha256 of the test; versions after `newest_version` are trained in this trial; `held_out` are the
    first and last session that no training touches.
    """

    seal: str
    newest_version: int
    held_out: tuple[date, date]
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation on the held-out sessions: the version that was tried, what it showed, how many trials count."""

    version: int
    trials: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Life:
    """What the history of one hypothesis amounts to; `trial` is None before testing, and in a direct deployment."""

    status: HypothesisStatus | None = None
    test: tuple[Criterion, ...] = ()
    trial: Trial | None = None
    looks: tuple[Look, ...] = ()

    @property
    def seal(self) -> str:
        """sha256 of the test as it stands written."""
        return digest([str(criterion) for criterion in self.test])


def life_of(history: Sequence[HypothesisEvent]) -> Life:
    """The life that `history` (one hypothesis, oldest first) tells.

    Raises:
        DataError: it holds a move that is not allowed, or the test is not the one that was sealed.
    """
    status: HypothesisStatus | None = None
    test: tuple[Criterion, ...] = ()
    trial, looks = None, []
    for event in history:
        if event.action is HypothesisAction.LOOK:
            looks.append(_look(event))
        elif status is not None and event.status not in MOVES[status]:
            raise DataError(f"{event.hypothesis_id} went from {status} to {event.status}, which is not allowed")
        if event.action is HypothesisAction.NEW:
            test = tuple(Criterion.parse(str(line)) for line in _list(event.evidence["test"]))
        if event.action is HypothesisAction.TEST:
            trial = _trial(event)
        status = event.status
    life = Life(status, test, trial, tuple(looks))
    if trial is not None and trial.seal != life.seal:
        raise DataError(f"the test of {history[0].hypothesis_id} is not the one that was sealed, {trial.seal[:12]}")
    return life


def require_move(hypothesis_id: str, before: HypothesisStatus | None, after: HypothesisStatus) -> None:
    """Nothing, if a hypothesis may go from `before` to `after`.

    Raises:
        HypothesisError: it may not; the message says where it may go.
    """
    if after not in MOVES[before]:
        allowed = ", ".join(sorted(MOVES[before])) or "nothing: write another, hrp research new"
        raise HypothesisError(f"{hypothesis_id} is {before} and cannot become {after}; it may become {allowed}")


def judge_evidence(life: Life, version: ModelVersion) -> list[str]:
    """Every reason (`CODE: detail`) why `version` does not validate the hypothesis; none means that it does.

    A criterion is held against the held-out sessions where the last look at `version` measured it, else against the
    walk-forward record.
    """
    if life.trial is None:
        return ["NOT_TESTED: testing has not begun"]
    if version.version <= life.trial.newest_version:
        return [
            f"TRAINED_BEFORE: {version.label} is older than the test, which began after v{life.trial.newest_version}"
        ]
    looks = [look for look in life.looks if look.version == version.version]
    if not looks:
        return [f"NO_LOOK: {version.label} was not evaluated on the held-out sessions"]
    counted = max(look.trials for look in life.looks)
    reasons = []
    if looks[-1].trials < counted:
        reasons.append(f"TRIALS_NOT_COUNTED: judged for {looks[-1].trials} trials, there were {counted}")
    found = {**version.metrics, **looks[-1].metrics}
    for criterion in life.test:
        if criterion.metric not in found:
            reasons.append(f"NOT_MEASURED: {criterion.metric}")
        elif not criterion.holds(found[criterion.metric]):
            reasons.append(f"FALSIFIED: {criterion.metric} is {found[criterion.metric]:.4g}, {criterion} was predicted")
    return reasons


def of_model(strategies: Sequence[Strategy], model_name: str) -> Strategy | None:
    """The hypothesis that speaks for a model: the open one (there is at most one), else the newest; None without."""
    ours = sorted((s for s in strategies if s.model_name == model_name), key=lambda s: s.hypothesis_id)
    return next((s for s in ours if s.status in OPEN), ours[-1] if ours else None)


def _trial(event: HypothesisEvent) -> Trial:
    facts = event.evidence
    first, last = (date.fromisoformat(str(day)) for day in _list(facts["held_out"]))
    return Trial(str(facts["seal"]), int(str(facts["newest_version"])), (first, last), event.at)


def _look(event: HypothesisEvent) -> Look:
    facts, measured = event.evidence, event.evidence.get("metrics", {})
    metrics = {name: float(value) for name, value in measured.items()} if isinstance(measured, Mapping) else {}
    return Look(int(str(facts["version"])), int(str(facts["trials"])), metrics)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]
