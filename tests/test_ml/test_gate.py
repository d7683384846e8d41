from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from hrp.domain.promotion import TOLERANCE, GateEvidence, GatePolicy, judge_promotion, refusals
from hrp.ml.features import FEATURE_SETS
from hrp.ml.gate import examine, examine_apart


class DefinedInThisTest:
    """An estimator that only a process which has imported this test can load."""

    def __init__(self, names):
        self.feature_names_in_ = np.array(names, dtype=object)

    def predict(self, rows):
        return np.zeros(len(rows))


class Deadly:
    """Loading it ends the process as if all were well."""

    def __reduce__(self):
        return os._exit, (0,)

    def predict(self, rows):
        return np.zeros(len(rows))


def test_a_registered_version_loads_and_reproduces_its_sample(registry, version, trained):
    evidence = examine(registry, version)

    assert (evidence.failure, evidence.loaded_features) == ("", version.features)
    assert evidence.reference_rows == len(trained.reference)
    assert evidence.max_difference is not None
    assert evidence.max_difference <= TOLERANCE


def test_the_evidence_of_a_fresh_process_is_the_same(registry, version):
    assert examine_apart(registry, version) == examine(registry, version)


def test_what_was_found_is_what_is_judged(registry, version):
    computed = {name: feature_set.names for name, feature_set in FEATURE_SETS.items()}
    policy = GatePolicy(min_ic=-1.0, min_ic_tstat=-99.0, min_sessions=100)

    assert refusals(judge_promotion(version, examine(registry, version), feature_sets=computed, policy=policy)) == []


def test_a_sample_that_is_predicted_otherwise_is_not_reproduced(registry, trained):
    other = trained.sample.assign(prediction=trained.sample["prediction"] + 1e-8)
    version = registry.register(replace(trained, model_name="forged", sample=other))

    evidence = examine(registry, version)

    assert evidence.max_difference == pytest.approx(1e-8)


def test_a_model_that_only_its_researchers_process_can_load_does_not_pass(registry, trained):
    estimator = DefinedInThisTest(trained.features)
    sample = trained.sample.assign(prediction=0.0)
    version = registry.register(replace(trained, model_name="notebook", estimator=estimator, sample=sample))

    assert examine(registry, version).max_difference == 0.0
    assert "notebook v1 cannot be used: No module named" in examine_apart(registry, version).failure


def test_a_model_that_kills_the_process_that_loads_it_does_not_pass(registry, trained):
    version = registry.register(replace(trained, model_name="deadly", estimator=Deadly()))

    assert "deadly v1 ended a fresh process with code 0: it said nothing" in examine_apart(registry, version).failure


def test_a_version_that_is_not_tried_in_time_does_not_pass(registry, version):
    assert examine_apart(registry, version, timeout_seconds=0.01).failure == (
        "alpha v1 was not tried within 0.01 s in a fresh process"
    )


def test_a_version_that_is_gone_or_changed_does_not_load(registry, version):
    gone, changed = replace(version, version=99), replace(version, artifact_sha256="f" * 64)

    assert "alpha v99 is not in the registry" in examine(registry, gone).failure
    assert "files of alpha v1 have changed" in examine(registry, changed).failure


def test_without_stored_rows_there_is_no_reference_and_nothing_is_reproduced(registry, trained):
    bare = replace(trained, model_name="bare", reference=trained.reference.head(0), sample=trained.sample.head(0))
    version = registry.register(bare)

    assert examine(registry, version) == GateEvidence(loaded_features=version.features)
