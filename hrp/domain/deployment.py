"""Strategies, model versions and the append-only ledger that says which version trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

CHAMPION, CHALLENGER = "champion", "challenger"


class HypothesisStatus(StrEnum):
    """Where a hypothesis is in its life; `hrp.domain.hypothesis` says what may follow. `deleted`: of older stores."""

    DRAFT = "draft"
    TESTING = "testing"
    VALIDATED = "validated"
    DEPLOYED = "deployed"
    RETIRED = "retired"
    REJECTED = "rejected"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A hypothesis and the model that tests it; deployed, it trades.

    `allocation` is the fraction of net liquidation it may use, in (0, 1].
    """

    hypothesis_id: str
    title: str
    model_name: str
    status: HypothesisStatus = HypothesisStatus.DEPLOYED
    allocation: Decimal = Decimal(1)
    universe: str = ""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version, as the registry and its files state it.

    `artifact_sha256` covers every file that loading reads; `features` keeps the order of training;
    `thresholds` gives the drift limit of each column; `metrics` are the walk-forward results.
    """

    model_name: str
    version: int
    run_id: str
    artifact_sha256: str
    feature_set: str
    features: tuple[str, ...]
    trained_through: date
    metrics: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.model_name} v{self.version}"


class DeploymentAction(StrEnum):
    PROMOTE = "promote"
    REFUSE = "refuse"
    ROLLBACK = "rollback"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    RETIRE = "retire"


class DeploymentState(StrEnum):
    """The ledger is written before the alias moves (`intent`) and after (`done`)."""

    INTENT = "intent"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One line of the ledger. Versions are None where there is none (the first promotion, a freeze)."""

    model_name: str
    action: DeploymentAction
    state: DeploymentState
    from_version: int | None
    to_version: int | None
    artifact_sha256: str
    session: date
    actor: str
    reason: str
    at: datetime
    evidence: Mapping[str, object] = field(default_factory=dict)


_MOVES = (DeploymentAction.PROMOTE, DeploymentAction.ROLLBACK)
_HOLDS = (DeploymentAction.FREEZE, DeploymentAction.UNFREEZE, *_MOVES)


def champion_by_ledger(ledger: Sequence[Deployment]) -> Deployment | None:
    """The newest completed move of one model's `ledger` (oldest first): the version that should trade."""
    moves = [entry for entry in ledger if entry.state is DeploymentState.DONE and entry.action in _MOVES]
    return moves[-1] if moves else None


def previous_good(ledger: Sequence[Deployment]) -> int | None:
    """The version to go back to, or None.

    It is the newest version that was champion before the present one and was never itself rolled back, so two
    bad versions cannot hand the account to each other.
    """
    done = [entry for entry in ledger if entry.state is DeploymentState.DONE]
    moves = [entry for entry in done if entry.action in _MOVES]
    if not moves:
        return None
    rolled_back = {entry.from_version for entry in done if entry.action is DeploymentAction.ROLLBACK}
    current = moves[-1].to_version
    for entry in reversed(moves[:-1]):
        if entry.to_version not in rolled_back | {current}:
            return entry.to_version
    return None


def is_frozen(ledger: Sequence[Deployment]) -> bool:
    """True if the newest freeze of one model's `ledger` was lifted neither by hand nor by a later move."""
    holds = [entry.action for entry in ledger if entry.state is DeploymentState.DONE and entry.action in _HOLDS]
    return bool(holds) and holds[-1] is DeploymentAction.FREEZE
