"""Drift: what was measured, and what it means for tonight's orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class DriftFamily(StrEnum):
    DATA = "data"  # a data fault: missing, constant, out of all proportion
    FEATURE = "feature"
    PREDICTION = "prediction"
    CONCEPT = "concept"  # performance: predictions against what came


class DriftVerdict(StrEnum):
    """`COULD_NOT_CHECK` is an alarm: a check that did not run has found nothing out."""

    OK = "ok"
    DRIFT = "drift"
    COULD_NOT_CHECK = "could_not_check"


@dataclass(frozen=True, slots=True)
class DriftCheck:
    """One statistic of one column held against its threshold. `value` is None if it could not be computed."""

    family: DriftFamily
    column: str
    method: str
    value: float | None
    threshold: float
    verdict: DriftVerdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Every check of one model version for one session."""

    session: date
    strategy: str
    model_name: str
    model_version: int
    checks: tuple[DriftCheck, ...]

    @property
    def verdict(self) -> DriftVerdict:
        """The worst of the checks; no check at all is `COULD_NOT_CHECK`."""
        return worst([check.verdict for check in self.checks])

    @property
    def allows_new_risk(self) -> bool:
        return self.verdict is DriftVerdict.OK


def worst(verdicts: Sequence[DriftVerdict]) -> DriftVerdict:
    """The gravest of `verdicts`: drift before could-not-check before ok; nothing given means could-not-check."""
    for verdict in (DriftVerdict.DRIFT, DriftVerdict.COULD_NOT_CHECK):
        if verdict in verdicts:
            return verdict
    return DriftVerdict.OK if verdicts else DriftVerdict.COULD_NOT_CHECK


def judge(value: float | None, threshold: float) -> DriftVerdict:
    """`value` above `threshold` is drift; no value, an infinite one, or a NaN on either side cannot be judged."""
    if value is None or not math.isfinite(value) or math.isnan(threshold):
        return DriftVerdict.COULD_NOT_CHECK
    return DriftVerdict.DRIFT if value > threshold else DriftVerdict.OK
