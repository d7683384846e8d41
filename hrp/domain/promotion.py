"""The gate before a model version may trade: what was measured, what is asked for, and every reason to refuse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hrp.domain.deployment import HypothesisStatus, ModelVersion, Strategy
from hrp.domain.hypothesis import UNPROVEN
from hrp.domain.overfitting import (
    DEFLATED_SHARPE,
    PBO,
    RANK_IC_HIGH,
    RANK_IC_LOW,
    TRIALS,
    StatisticsPolicy,
    deflated_again,
    judge_statistics,
)

MEAN_RANK_IC, RANK_IC_TSTAT, OOS_SESSIONS = "mean_rank_ic", "rank_ic_tstat", "oos_sessions"
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The evidence that is asked for.

    Args:
        min_ic: the mean daily rank correlation of the walk-forward must exceed it.
        min_ic_tstat: least t-statistic of that mean.
        min_sessions: least number of sessions out of sample.
        max_load_seconds: how long a clean process may take to start, load the version and predict its sample.
        statistics: the bars for luck. They are held against a version that was chosen among several trials;
        always_statistics: against one of a single trial too, which has no choice behind it.
    """

    min_ic: float = 0.0
    min_ic_tstat: float = 0.0
    min_sessions: int = 252
    max_load_seconds: float = 120.0
    statistics: StatisticsPolicy = field(default_factory=StatisticsPolicy)
    always_statistics: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate and champion on the sessions that both predicted out of sample: daily rank correlations.

    `low` and `high` are the ends of the 95 % interval of the mean paired difference (candidate less champion).
    """

    champion: int
    sessions: int
    rank_ic: float
    champion_rank_ic: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Costs:
    """A backtest of the out-of-sample predictions: fractions a year, after costs and after twice the costs."""

    sessions: int
    annual_return: float
    annual_return_at_twice: float
    turnover_a_year: float


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What trying the stored files showed, and what is known of the version beside them.

    Args:
        failure: empty if the files loaded.
        loaded_features: what the loaded estimator was fitted on.
        reference_rows: rows of out-of-sample history that came with it.
        max_difference: between the predictions of its stored sample now and when it was trained; None without one.
        seconds: of the clean process; None if it was tried in this one.
        hypothesis: what speaks for the model; None for a model that is deployed by hand.
        looks: trials behind it beyond those in its own metrics.
        comparison, costs: None if they could not be measured.
    """

    failure: str = ""
    loaded_features: tuple[str, ...] = ()
    reference_rows: int = 0
    max_difference: float | None = None
    seconds: float | None = None
    hypothesis: Strategy | None = None
    looks: int = 0
    comparison: Comparison | None = None
    costs: Costs | None = None


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One question of the gate. `bar` is empty where the figure is only told; `reason` (`CODE: detail`) refuses."""

    name: str
    figure: float | str | None
    bar: str = ""
    reason: str = ""

    @property
    def verdict(self) -> str:
        """`refused`, `passed`, `told` (no bar), or `not measured`."""
        if self.reason:
            return "refused"
        if self.figure is None:
            return "not measured"
        return "passed" if self.bar else "told"

    def facts(self) -> dict[str, object]:
        """For the ledger and for tables; JSON has no NaN."""
        figure = _finite(self.figure) if isinstance(self.figure, float) else self.figure
        return {"check": self.name, "figure": figure, "bar": self.bar, "verdict": self.verdict, "reason": self.reason}


def judge_promotion(
    version: ModelVersion, evidence: GateEvidence, *, feature_sets: Mapping[str, Sequence[str]], policy: GatePolicy
) -> list[GateCheck]:
    """Every question to `version` with its answer; it may trade if none is refused.

    Args:
        feature_sets: the names of the columns that the night computes, in order, by feature set.
    """
    return [
        _loads(evidence, policy),
        *([] if evidence.failure else _files(version, evidence)),
        _feature_set(version, feature_sets),
        *_record(version, policy),
        *_statistics(version, evidence, policy),
        _drift(version),
        _hypothesis(evidence.hypothesis),
        _champion(evidence.comparison),
        *_costs(evidence.costs),
    ]


def refusals(checks: Iterable[GateCheck]) -> list[str]:
    """The coded reasons why a version may not trade; empty if it may."""
    return [check.reason for check in checks if check.reason]


def _loads(evidence: GateEvidence, policy: GatePolicy) -> GateCheck:
    limit, took = policy.max_load_seconds, evidence.seconds
    reason = f"DOES_NOT_LOAD: {evidence.failure}" if evidence.failure else ""
    if not reason and took is not None and took > limit:
        reason = f"SLOW_TO_LOAD: {took:.1f} s in a clean process, at most {limit:g} s are allowed"
    seconds = None if took is None else round(took, 2)
    return GateCheck("seconds in a clean process", seconds, f"<= {limit:g}", reason)


def _files(version: ModelVersion, evidence: GateEvidence) -> Iterator[GateCheck]:
    loaded, rows, off = evidence.loaded_features, evidence.reference_rows, evidence.max_difference
    unlike = "" if loaded == version.features else f"SIGNATURE_MISMATCH: {_difference(version.features, loaded)}"
    yield GateCheck("features loaded", len(loaded), f"the {len(version.features)} registered", unlike)
    none = "" if rows else "NO_REFERENCE: no out-of-sample history to measure drift against"
    yield GateCheck("rows of reference", rows, "> 0", none)
    reproduced = off is not None and off <= TOLERANCE
    by = "no stored sample that it can predict" if off is None else f"off by {off:.3g}"
    told = "" if reproduced else f"NOT_REPRODUCED: {by}, it is predicted otherwise than when the model was trained"
    yield GateCheck("largest difference to stored predictions", off, f"<= {TOLERANCE:g}", told)


def _feature_set(version: ModelVersion, feature_sets: Mapping[str, Sequence[str]]) -> GateCheck:
    computed, reason = feature_sets.get(version.feature_set), ""
    if computed is None:
        reason = f"UNKNOWN_FEATURE_SET: {version.feature_set}, computed are {', '.join(feature_sets) or 'none'}"
    elif missing := [name for name in version.features if name not in computed]:
        reason = f"FEATURES_NOT_COMPUTED: {version.feature_set} lacks {', '.join(missing)}"
    return GateCheck("feature set", version.feature_set, "computed by the night", reason)


def _record(version: ModelVersion, policy: GatePolicy) -> Iterator[GateCheck]:
    found = {name: version.metrics.get(name, math.nan) for name in (MEAN_RANK_IC, RANK_IC_TSTAT, OOS_SESSIONS)}
    absent = [name for name, value in found.items() if not math.isfinite(value)]
    if absent:
        yield GateCheck("walk-forward", None, "measured", f"NO_EVIDENCE: walk-forward metrics lack {', '.join(absent)}")
        return
    sessions, ic, tstat = found[OOS_SESSIONS], found[MEAN_RANK_IC], found[RANK_IC_TSTAT]
    few = f"TOO_FEW_SESSIONS: {sessions:.0f} out of sample, {policy.min_sessions} are required"
    yield GateCheck(
        "sessions out of sample", sessions, f">= {policy.min_sessions}", few if sessions < policy.min_sessions else ""
    )
    weak = f"WEAK_IC: mean rank IC {ic:.4f}, more than {policy.min_ic:g} is required"
    yield GateCheck("mean rank IC", ic, f"> {policy.min_ic:g}", weak if ic <= policy.min_ic else "")
    unsure = f"WEAK_TSTAT: t of rank IC {tstat:.2f}, {policy.min_ic_tstat:g} is required"
    yield GateCheck("t of rank IC", tstat, f">= {policy.min_ic_tstat:g}", unsure if tstat < policy.min_ic_tstat else "")


def _statistics(version: ModelVersion, evidence: GateEvidence, policy: GatePolicy) -> Iterator[GateCheck]:
    metrics, bars = version.metrics, policy.statistics
    trials = metrics.get(TRIALS, 1.0) + evidence.looks
    asked = trials > 1 or policy.always_statistics
    found = judge_statistics(metrics, bars, evidence.looks) if asked else []
    reasons = {reason.partition(":")[0]: reason for reason in found}
    if "NO_STATISTICS" in reasons:
        yield GateCheck("statistics", None, "measured", reasons["NO_STATISTICS"])
        return
    yield GateCheck("trials", trials)
    figures = (
        ("rank IC, lower end", metrics.get(RANK_IC_LOW), f"> {bars.min_rank_ic_low:g}", "IC_NOT_PROVEN"),
        ("rank IC, upper end", metrics.get(RANK_IC_HIGH), "", ""),
        ("deflated Sharpe", _finite(_deflated(metrics, evidence.looks)), f">= {bars.min_deflated_sharpe:g}",
         "SHARPE_DEFLATED"),
        ("probability of overfitting", metrics.get(PBO), f"<= {bars.max_pbo:g}", "OVERFITTED"),
    )  # fmt: skip
    for name, figure, bar, code in figures:
        yield GateCheck(name, figure, bar if asked else "", reasons.get(code, ""))


def _deflated(metrics: Mapping[str, float], looks: int) -> float:
    again = deflated_again(metrics, looks)
    return again if math.isfinite(again) or looks else metrics.get(DEFLATED_SHARPE, math.nan)


def _drift(version: ModelVersion) -> GateCheck:
    useless = [name for name, value in version.thresholds.items() if not math.isfinite(value)]
    reason = "" if version.thresholds else "NO_THRESHOLDS: no drift limit is attached"
    if useless:
        reason = f"BAD_THRESHOLDS: no finite drift limit for {', '.join(useless)}"
    return GateCheck("drift limits", len(version.thresholds), "finite", reason)


def _hypothesis(hypothesis: Strategy | None) -> GateCheck:
    if hypothesis is None:
        return GateCheck("hypothesis", None)
    name, status = hypothesis.hypothesis_id, hypothesis.status
    reason = ""
    if status in UNPROVEN:
        step = "write another: hrp research new" if status is HypothesisStatus.REJECTED else "see: hrp research show"
        reason = f"NOT_VALIDATED: {name} is {status}; {step} {hypothesis.model_name if 'new' in step else name}"
    return GateCheck("hypothesis", f"{name} {status}", "validated", reason)


def _champion(found: Comparison | None) -> GateCheck:
    if found is None:
        return GateCheck("rank IC less champion's", None, "not below 0 for sure")
    interval = f"{found.low:.4f} to {found.high:.4f} over {found.sessions} sessions"
    worse = f"WORSE_THAN_CHAMPION: rank IC less that of v{found.champion} is {found.difference:.4f}, {interval}"
    bar = f"{interval} not below 0, v{found.champion}"
    return GateCheck("rank IC less champion's", found.difference, bar, worse if found.high < 0 else "")


def _costs(found: Costs | None) -> list[GateCheck]:
    names = ("net return a year", "net return a year at twice the costs", "turnover a year")
    if found is None:
        return [GateCheck(name, None) for name in names]
    figures = (found.annual_return, found.annual_return_at_twice, found.turnover_a_year)
    return [GateCheck(name, figure) for name, figure in zip(names, figures, strict=True)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _difference(expected: Sequence[str], found: Sequence[str]) -> str:
    absent = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    parts = [f"{what} {', '.join(names)}" for what, names in (("without", absent), ("with", extra)) if names]
    return "; ".join(parts) or "the same features in another order"
