"""The gate before a model version may trade: what was found out about it, and every reason to refuse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hrp.domain.deployment import ModelVersion

MEAN_RANK_IC, RANK_IC_TSTAT, OOS_SESSIONS = "mean_rank_ic", "rank_ic_tstat", "oos_sessions"


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The walk-forward evidence that is asked for.

    `min_ic` is the mean daily rank correlation that must be exceeded, `min_ic_tstat` the least t-statistic of it,
    `min_sessions` the least number of sessions out of sample.
    """

    min_ic: float = 0.0
    min_ic_tstat: float = 0.0
    min_sessions: int = 252


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What trying the stored files showed. `failure` is empty if they loaded; the rest then says what was loaded.

    `reproduced`: the loaded model gave the predictions that were stored with it when it was trained.
    """

    failure: str = ""
    loaded_features: tuple[str, ...] = ()
    has_reference: bool = False
    reproduced: bool = False


def judge_promotion(
    version: ModelVersion, evidence: GateEvidence, *, feature_sets: Mapping[str, Sequence[str]], policy: GatePolicy
) -> list[str]:
    """Every reason (`CODE: detail`) not to let `version` trade; none means that it passes.

    Args:
        feature_sets: the names of the columns that the night computes, in order, by feature set.
    """
    tried = [f"DOES_NOT_LOAD: {evidence.failure}"] if evidence.failure else _judge_files(version, evidence)
    return [*tried, *_judge_feature_set(version, feature_sets), *_judge_record(version, policy), *_judge_drift(version)]


def _judge_files(version: ModelVersion, evidence: GateEvidence) -> list[str]:
    reasons = []
    if evidence.loaded_features != version.features:
        reasons.append(f"SIGNATURE_MISMATCH: {_difference(version.features, evidence.loaded_features)}")
    if not evidence.has_reference:
        reasons.append("NO_REFERENCE: no out-of-sample history to measure drift against")
    if not evidence.reproduced:
        reasons.append("NOT_REPRODUCED: the stored sample is predicted otherwise than when the model was trained")
    return reasons


def _judge_feature_set(version: ModelVersion, feature_sets: Mapping[str, Sequence[str]]) -> list[str]:
    computed = feature_sets.get(version.feature_set)
    if computed is None:
        return [f"UNKNOWN_FEATURE_SET: {version.feature_set}, computed are {', '.join(feature_sets) or 'none'}"]
    missing = [name for name in version.features if name not in computed]
    return [f"FEATURES_NOT_COMPUTED: {version.feature_set} lacks {', '.join(missing)}"] if missing else []


def _judge_record(version: ModelVersion, policy: GatePolicy) -> list[str]:
    found = {name: version.metrics.get(name, math.nan) for name in (MEAN_RANK_IC, RANK_IC_TSTAT, OOS_SESSIONS)}
    absent = [name for name, value in found.items() if not math.isfinite(value)]
    if absent:
        return [f"NO_EVIDENCE: walk-forward metrics lack {', '.join(absent)}"]
    reasons = []
    if found[OOS_SESSIONS] < policy.min_sessions:
        reasons.append(f"TOO_FEW_SESSIONS: {found[OOS_SESSIONS]:.0f} out of sample, {policy.min_sessions} are required")
    if found[MEAN_RANK_IC] <= policy.min_ic:
        reasons.append(f"WEAK_IC: mean rank IC {found[MEAN_RANK_IC]:.4f}, more than {policy.min_ic:g} is required")
    if found[RANK_IC_TSTAT] < policy.min_ic_tstat:
        reasons.append(f"WEAK_TSTAT: t of rank IC {found[RANK_IC_TSTAT]:.2f}, {policy.min_ic_tstat:g} is required")
    return reasons


def _judge_drift(version: ModelVersion) -> list[str]:
    if not version.thresholds:
        return ["NO_THRESHOLDS: no drift limit is attached"]
    useless = [name for name, value in version.thresholds.items() if not math.isfinite(value)]
    return [f"BAD_THRESHOLDS: no finite drift limit for {', '.join(useless)}"] if useless else []


def _difference(expected: Sequence[str], found: Sequence[str]) -> str:
    absent = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    parts = [f"{what} {', '.join(names)}" for what, names in (("without", absent), ("with", extra)) if names]
    return "; ".join(parts) or "the same features in another order"
