from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from mlflow import MlflowClient

from hrp.domain.deployment import ModelVersion
from hrp.errors import ConfigError, FeatureMismatchError, ModelError, ModelNotFoundError
from hrp.ml.inference import predict
from hrp.ml.registry import MlflowRegistry, directory_sha256
from hrp.ports import ModelRegistry


def files_of(registry: MlflowRegistry, version: ModelVersion) -> Path:
    return registry.artifact_root / version.run_id / "artifacts" / "model"


def test_the_registry_is_the_port(registry):
    port: ModelRegistry = registry

    assert port.versions("nobody") == []


def test_what_was_registered_is_what_is_read_back(registry, trained, version):
    again = MlflowRegistry(registry.tracking_uri, registry.artifact_root)

    assert again.version("alpha", version.version) == version
    assert version.features == trained.features
    assert version.feature_set == "core"
    assert version.trained_through == trained.trained_through
    assert version.metrics == trained.metrics
    assert version.thresholds == {"prediction": 0.25, "momentum_5": 0.2}


def test_a_loaded_version_predicts_the_same_and_brings_reference_and_sample(registry, trained, version):
    loaded = registry.load(version)

    pd.testing.assert_frame_equal(loaded.reference, trained.reference, check_exact=True)
    pd.testing.assert_frame_equal(registry.load_sample(version), trained.sample, check_exact=True)
    rows = trained.sample.drop_duplicates("symbol").set_index("symbol")
    np.testing.assert_allclose(predict(loaded, rows), rows["prediction"].sort_index(), rtol=0, atol=1e-12)


def test_the_run_holds_parameters_and_metrics_for_the_researcher(registry, trained, version):
    run = MlflowClient(registry.tracking_uri).get_run(version.run_id)

    assert run.info.status == "FINISHED"
    assert run.data.params["horizon"] == "5"
    assert run.data.metrics["mean_rank_ic"] == trained.metrics["mean_rank_ic"]


def test_versions_count_up_oldest_first_and_aliases_point_to_one(registry, trained):
    model = replace(trained, model_name="beta")
    first, second = registry.register(model), registry.register(model)

    registry.set_alias("beta", "champion", first.version)
    registry.set_alias("beta", "challenger", second.version)
    registry.set_alias("beta", "champion", second.version)

    assert [v.version for v in registry.versions("beta")] == [1, 2]
    assert registry.alias("beta", "champion") == 2
    assert registry.alias("beta", "challenger") == 2
    assert registry.alias("beta", "other") is None
    assert registry.alias("nobody", "champion") is None


def test_a_version_that_does_not_exist_is_not_found(registry, version):
    for ask in (lambda: registry.version("alpha", 99), lambda: registry.set_alias("alpha", "champion", 99)):
        with pytest.raises(ModelNotFoundError, match=r"alpha v99 is not in the registry: .* run: hrp models list"):
            ask()
    with pytest.raises(ModelNotFoundError, match="nobody v1"):
        registry.version("nobody", 1)


@pytest.mark.parametrize("name", ["model.pkl", "MLmodel", "extra_files/hrp.json", "extra_files/reference.parquet"])
def test_a_changed_file_is_never_loaded(registry, trained, name):
    version = registry.register(replace(trained, model_name="tampered"))
    file = files_of(registry, version) / name
    file.write_bytes(file.read_bytes() + b" ")

    with pytest.raises(ModelError, match=f"files of tampered v{version.version} have changed: sha256"):
        registry.load(version)


def test_an_added_file_is_a_change_too(registry, trained):
    version = registry.register(replace(trained, model_name="tampered"))
    (files_of(registry, version) / "extra.py").write_text("")

    with pytest.raises(ModelError, match="have changed"):
        registry.load(version)


def test_the_pinned_hash_decides_not_the_one_in_the_registry(registry, version):
    with pytest.raises(ModelError, match="registered as 000000000000"):
        registry.load(replace(version, artifact_sha256="0" * 64))


def test_the_hash_can_be_had_from_the_shell(registry, version):
    listing = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    shell = subprocess.run(
        listing, shell=True, cwd=files_of(registry, version), capture_output=True, text=True, check=True
    )

    assert shell.stdout.split()[0] == version.artifact_sha256


def test_a_signature_that_names_other_features_is_refused(registry, trained, version):
    with pytest.raises(FeatureMismatchError, match="signature of alpha v1 names"):
        registry.load(replace(version, features=tuple(reversed(version.features))))


def test_a_model_of_another_release_of_scikit_learn_is_refused(registry, trained):
    version = registry.register(replace(trained, model_name="old"))
    pickled = files_of(registry, version) / "model.pkl"
    old = sklearn.__version__[:-1] + chr(ord(sklearn.__version__[-1]) ^ 1)
    pickled.write_bytes(pickled.read_bytes().replace(sklearn.__version__.encode(), old.encode()))

    with pytest.raises(ModelError, match=r"old v1 cannot be used: .*; train it again: hrp train"):
        registry.load(replace(version, artifact_sha256=directory_sha256(files_of(registry, version))))


def test_files_that_are_gone_are_an_error_that_says_where_they_were(registry, trained):
    version = registry.register(replace(trained, model_name="gone"))
    files_of(registry, version).rename(files_of(registry, version).with_name("elsewhere"))

    for ask in (lambda: registry.version("gone", 1), lambda: registry.load(version)):
        with pytest.raises(ModelError, match=rf"files of gone v1 cannot be read from file:.*{version.run_id}"):
            ask()


def test_a_card_that_cannot_be_read_is_an_error(registry, trained):
    version = registry.register(replace(trained, model_name="card"))
    card = files_of(registry, version) / "extra_files" / "hrp.json"
    for text in ("{", json.dumps({"features": []})):
        card.write_text(text)
        with pytest.raises(ModelError, match="card of card v1 cannot be read"):
            registry.version("card", 1)


def test_a_version_that_hrp_did_not_register_cannot_be_verified(registry, version):
    client = MlflowClient(registry.tracking_uri)
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source="file:///nowhere", run_id=version.run_id)

    with pytest.raises(ModelError, match="foreign v1 was not registered by HRP"):
        registry.version("foreign", 1)
    assert registry.versions("foreign") == []


def test_a_name_that_mlflow_refuses_is_a_model_error(registry, trained):
    with pytest.raises(ModelError, match=r"a/b was not registered: .*Invalid model name"):
        registry.register(replace(trained, model_name="a/b"))


def test_paths_that_depend_on_the_working_directory_are_refused(tmp_path):
    for uri in ("sqlite:///mlflow.db", "mlflow.db", "./mlruns"):
        with pytest.raises(ConfigError, match="tracking_uri must be absolute"):
            MlflowRegistry(uri, tmp_path)
    with pytest.raises(ConfigError, match="artifact_root must be an absolute directory"):
        MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db", Path("artifacts"))


def test_an_experiment_that_keeps_its_files_elsewhere_is_refused(registry, trained, version, tmp_path):
    moved = MlflowRegistry(registry.tracking_uri, tmp_path)

    with pytest.raises(ConfigError, match=r"experiment hrp keeps its files in .* the settings say"):
        moved.register(trained)


def test_files_that_cannot_be_written_leave_a_failed_run_and_no_version(registry, trained, version, tmp_path):
    (tmp_path / "blocked").write_text("a file where the directory should be")
    blocked = MlflowRegistry(registry.tracking_uri, tmp_path / "blocked", experiment="blocked")

    with pytest.raises(ModelError, match="lost was not registered"):
        blocked.register(replace(trained, model_name="lost"))

    client = MlflowClient(registry.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("blocked").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]
    assert registry.versions("lost") == []


def test_registering_and_loading_say_nothing_to_the_terminal(registry, trained, capfd):
    registry.load(registry.register(replace(trained, model_name="quiet")))

    assert capfd.readouterr() == ("", "")
