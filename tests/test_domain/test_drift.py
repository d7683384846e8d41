"""Drift verdicts: a check that did not run has found nothing out."""

from __future__ import annotations

import math
from datetime import date
from itertools import permutations

import pytest

from hrp.domain.drift import DriftCheck, DriftFamily, DriftReport, DriftVerdict, judge, worst

OK, DRIFT, UNCHECKED = DriftVerdict.OK, DriftVerdict.DRIFT, DriftVerdict.COULD_NOT_CHECK


@pytest.mark.parametrize(
    ("value", "threshold", "verdict"),
    [
        (0.19, 0.2, OK),
        (0.2, 0.2, OK),
        (0.21, 0.2, DRIFT),
        (-5.0, 0.2, OK),
        (0.0, 0.0, OK),
        (1e9, math.inf, OK),  # a column that is only watched
        (None, 0.2, UNCHECKED),
        (math.nan, 0.2, UNCHECKED),  # such as a shift so far that the samples no longer overlap
        (math.inf, 0.2, UNCHECKED),
        (-math.inf, 0.2, UNCHECKED),
        (0.1, math.nan, UNCHECKED),  # nothing exceeds a threshold that is not a number
    ],
)
def test_a_value_above_its_threshold_is_drift(value: float | None, threshold: float, verdict: DriftVerdict) -> None:
    assert judge(value, threshold) is verdict


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [([], UNCHECKED), ([OK], OK), ([OK, UNCHECKED], UNCHECKED), ([OK, DRIFT], DRIFT), ([UNCHECKED, DRIFT, OK], DRIFT)],
)
def test_the_worst_verdict_stands_in_whatever_order_they_come(
    verdicts: list[DriftVerdict], whole: DriftVerdict
) -> None:
    assert {worst(order) for order in permutations(verdicts)} == {whole}


@pytest.mark.parametrize(
    ("verdicts", "allowed"), [([OK, OK], True), ([OK, UNCHECKED], False), ([DRIFT], False), ([], False)]
)
def test_new_risk_needs_checks_that_ran_and_passed(verdicts: list[DriftVerdict], allowed: bool) -> None:
    checks = [DriftCheck(DriftFamily.FEATURE, "mom_20", "psi", 0.1, 0.2, verdict) for verdict in verdicts]

    assert DriftReport(date(2022, 3, 11), "HYP-2022-001", "momentum", 3, tuple(checks)).allows_new_risk is allowed
