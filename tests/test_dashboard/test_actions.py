"""What the page makes of the words of a job's process."""

from __future__ import annotations

import json

from hrp.dashboard.actions import read_outcome


def test_a_job_that_found_something_is_told_with_its_findings_and_is_not_done() -> None:
    record = {
        "run_id": "a1", "job": "drift-monitor", "session": "2022-12-27", "status": "drift_detected", "exit_code": 3,
        "seconds": 1.5, "dry_run": False, "rows": 2, "verdicts": {"HYP-2022-001": "drift"},
        "alarms": ["feature momentum: psi=0.410, limit 0.200", "concept"], "acts": [],
    }  # fmt: skip

    outcome = read_outcome("drift-monitor", 3, json.dumps([record]), "drift-monitor ...\n")

    assert outcome.text == (
        "drift-monitor for 2022-12-27: drift_detected (seconds 1.5, rows 2, verdicts HYP-2022-001 drift, "
        "alarms feature momentum: psi=0.410, limit 0.200 / concept)"
    )
    assert (outcome.done, outcome.raised) == (False, False)


def test_an_error_is_told_in_its_own_words() -> None:
    said = json.dumps({"error": "IBKR_ACCOUNT is not set", "kind": "ConfigError", "exit_code": 2})

    outcome = read_outcome("position-sync", 2, said, "error: IBKR_ACCOUNT is not set\n")

    assert outcome.text == "IBKR_ACCOUNT is not set"
    assert outcome.raised


def test_a_process_that_died_is_told_with_its_exit_code_and_last_words() -> None:
    outcome = read_outcome("position-sync", -9, "", "")
    crashed = read_outcome("position-sync", 1, "", "Traceback ...\nKeyError: 'x'\n")

    assert (outcome.text, outcome.raised) == ("position-sync ended with exit code -9: it said nothing", True)
    assert crashed.text == "position-sync ended with exit code 1: KeyError: 'x'"
