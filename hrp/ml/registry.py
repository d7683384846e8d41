"""The model registry: MLflow, and nothing of MLflow beyond this module.

A version is one directory of files, written before the registry hears of it, with one sha256 over all of them. Models
are stored with cloudpickle, which runs code when it loads: so no file is loaded before the hash has been compared with
the one that the caller pinned.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.artifacts
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info, infer_signature
from sklearn.exceptions import InconsistentVersionWarning
from sqlalchemy.exc import SQLAlchemyError

from hrp.domain.deployment import ModelVersion
from hrp.domain.lineage import canonical
from hrp.errors import ConfigError, FeatureMismatchError, ModelError, ModelNotFoundError
from hrp.ports import LoadedModel, TrainedModel

SHA256_TAG = "hrp.artifact_sha256"
FOLDER = "model"
EXTRA = "extra_files"
CARD, REFERENCE, SAMPLE = "hrp.json", "reference.parquet", "sample.parquet"
EXAMPLE_ROWS = 3
PAGES = "pages"
OWN_WARNINGS = ("The ``noload`` loader strategy", r".*Any type hint is inferred as AnyType")

logging.getLogger("mlflow").setLevel(logging.WARNING)
# Its one warning at each save is about pickles in general; here the hash answers it.
logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)


@dataclass(frozen=True)
class MlflowRegistry:
    """Versions and aliases in MLflow; implements `hrp.ports.ModelRegistry`.

    Args:
        tracking_uri: `sqlite:////absolute/path.db`, or the address of an MLflow server.
        artifact_root: absolute directory for the files of new experiments. MLflow remembers it: an experiment keeps
            its directory, and moving the directory breaks every version in it.
        experiment: the MLflow experiment that training runs are logged to.

    Raises:
        ConfigError: a path is relative, or the experiment keeps its files somewhere else than `artifact_root`.
        ModelError: MLflow or its store fails (any method).
    """

    tracking_uri: str
    artifact_root: Path
    experiment: str = "hrp"

    def __post_init__(self) -> None:
        relative = self.tracking_uri.startswith("sqlite:") and not self.tracking_uri.startswith("sqlite:////")
        if relative or "://" not in self.tracking_uri:
            raise ConfigError(
                f"tracking_uri must be absolute, as in sqlite:////data/mlflow.db, got {self.tracking_uri}"
            )
        if not self.artifact_root.is_absolute():
            raise ConfigError(f"artifact_root must be an absolute directory, got {self.artifact_root}")

    def register(self, model: TrainedModel) -> ModelVersion:
        """The new version of `model`, its run and files stored; no alias moves."""
        with TemporaryDirectory(prefix="hrp-model-") as scratch, _translated(f"{model.model_name} was not registered"):
            folder = _save(model, Path(scratch))
            sha256 = directory_sha256(folder)
            run_id, source = self._log_run(model, folder)
            self._create_model(model.model_name)
            created = self._client.create_model_version(
                model.model_name, source=source, run_id=run_id, tags={SHA256_TAG: sha256}
            )
            return _model_version(created, folder / EXTRA / CARD)

    def versions(self, model_name: str) -> list[ModelVersion]:
        """Every version that HRP registered, oldest first; what was registered by other means cannot trade."""
        with _translated(f"versions of {model_name} cannot be listed"):
            found = list(self._search(model_name))
        ours = [entry for entry in found if SHA256_TAG in entry.tags]
        return [self._described(entry) for entry in sorted(ours, key=lambda entry: int(entry.version))]

    def version(self, model_name: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            ModelNotFoundError: there is none of this number.
            ModelError: it was not registered by HRP, or its files are gone.
        """
        entry = self._entry(model_name, version)
        if SHA256_TAG not in entry.tags:
            raise ModelError(
                f"{model_name} v{version} was not registered by HRP: it has no {SHA256_TAG}, so its files cannot be "
                f"verified; run: hrp train MODEL"
            )
        return self._described(entry)

    def alias(self, model_name: str, alias: str) -> int | None:
        """The version number that `alias` points to, or None."""
        with _translated(f"the aliases of {model_name} cannot be read"):
            try:
                aliases = self._client.get_registered_model(model_name).aliases
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return None
        return int(aliases[alias]) if alias in aliases else None

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        """Point `alias` at `version`.

        Raises:
            ModelNotFoundError: there is no such version.
        """
        self._entry(model_name, version)
        with _translated(f"{alias} of {model_name} was not set to v{version}"):
            self._client.set_registered_model_alias(model_name, alias, str(version))

    def load(self, version: ModelVersion) -> LoadedModel:
        """The estimator and reference of `version`, from a private copy of its files whose hash was compared.

        Raises:
            ModelError: the files are gone or changed, or were written by another release of scikit-learn.
            FeatureMismatchError: the signature of the stored model does not name the features of `version`.
        """
        with self._verified_files(version) as folder, _translated(f"{version.label} cannot be loaded"):
            _require_signature(version, folder)
            return LoadedModel(version, _load_estimator(version, folder), pd.read_parquet(folder / EXTRA / REFERENCE))

    def load_sample(self, version: ModelVersion) -> pd.DataFrame:
        """Rows that the model predicted when it was trained: session, symbol, its features, prediction.

        Raises:
            ModelError: the files are gone or changed.
        """
        with self._verified_files(version) as folder:
            return pd.read_parquet(folder / EXTRA / SAMPLE)

    def load_reference(self, version: ModelVersion) -> pd.DataFrame:
        """The out-of-sample history of `version`, as in `LoadedModel`, without running what its files hold.

        Raises:
            ModelError: the files are gone or changed.
        """
        with self._verified_files(version) as folder:
            return pd.read_parquet(folder / EXTRA / REFERENCE)

    def params(self, version: ModelVersion) -> dict[str, str]:
        """The parameters that the run of `version` was logged with.

        Raises:
            ModelNotFoundError: the run is gone.
        """
        with _translated(f"the run of {version.label} cannot be read"):
            return dict(self._client.get_run(version.run_id).data.params)

    def attach(self, version: ModelVersion, page: Path) -> None:
        """Keep a page for people with the run of `version`, beside the files that its hash covers."""
        with _translated(f"{page.name} was not kept with the run of {version.label}"):
            self._client.log_artifact(version.run_id, str(page), PAGES)

    @cached_property
    def _client(self) -> Any:
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _log_run(self, model: TrainedModel, folder: Path) -> tuple[str, str]:
        run = self._client.create_run(self._experiment_id(), run_name=f"{model.model_name} {model.trained_through}")
        run_id = run.info.run_id
        try:
            for name, value in model.params.items():
                self._client.log_param(run_id, name, value)
            for name, value in model.metrics.items():
                self._client.log_metric(run_id, name, value)
            self._client.log_artifacts(run_id, str(folder), FOLDER)
            if model.trials is not None:
                self._client.log_text(run_id, model.trials.to_csv(index=False), f"{PAGES}/trials.csv")
        except (MlflowException, OSError):
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id)
        return run_id, f"{run.info.artifact_uri}/{FOLDER}"

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        wanted = self.artifact_root.as_uri()
        if found is None:
            return str(self._client.create_experiment(self.experiment, artifact_location=wanted))
        if found.artifact_location.rstrip("/") != wanted:
            raise ConfigError(
                f"experiment {self.experiment} keeps its files in {found.artifact_location}, the settings say "
                f"{wanted}; put the directory back, or name another experiment"
            )
        return str(found.experiment_id)

    def _create_model(self, model_name: str) -> None:
        try:
            self._client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _search(self, model_name: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_model_versions(f"name='{model_name}'", page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _entry(self, model_name: str, version: int) -> Any:
        with _translated(f"{model_name} v{version} is not in the registry"):
            return self._client.get_model_version(model_name, str(version))

    def _described(self, entry: Any) -> ModelVersion:
        with self._downloaded(entry, f"{EXTRA}/{CARD}") as card:
            return _model_version(entry, card)

    @contextmanager
    def _verified_files(self, version: ModelVersion) -> Iterator[Path]:
        entry = self._entry(version.model_name, version.version)
        with self._downloaded(entry, "") as folder:
            found = directory_sha256(folder)
            if found != version.artifact_sha256:
                raise ModelError(
                    f"the files of {version.label} have changed: sha256 {found[:12]}, registered as "
                    f"{version.artifact_sha256[:12]}, at {entry.source}; restore them or roll back: "
                    f"hrp models rollback {version.model_name}"
                )
            yield folder

    @contextmanager
    def _downloaded(self, entry: Any, path: str) -> Iterator[Path]:
        uri = f"{entry.source}/{path}".rstrip("/")
        with TemporaryDirectory(prefix="hrp-model-") as scratch:
            with _translated(f"the files of {entry.name} v{entry.version} cannot be read from {uri}"):
                fetched = mlflow.artifacts.download_artifacts(
                    artifact_uri=uri, dst_path=scratch, tracking_uri=self.tracking_uri
                )
            yield Path(fetched)


@dataclass(frozen=True)
class ReadOnlyRegistry(MlflowRegistry):
    """The registry of a dry run: everything can be read, no alias moves."""

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        """Nothing, if there is such a version.

        Raises:
            ModelNotFoundError: there is no such version.
        """
        self._entry(model_name, version)


def directory_sha256(folder: Path) -> str:
    """sha256 (hex) over the path and content of every file below `folder`, by path.

    The same as `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` inside it.
    """
    files = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*") if file.is_file())
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n" for name, file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _save(model: TrainedModel, scratch: Path) -> Path:
    names = list(model.features)
    model.reference.to_parquet(scratch / REFERENCE, index=False)
    model.sample.to_parquet(scratch / SAMPLE, index=False)
    (scratch / CARD).write_text(canonical(_card(model)))
    folder = scratch / FOLDER
    mlflow.sklearn.save_model(
        model.estimator,
        str(folder),
        signature=infer_signature(model.sample[names], model.sample["prediction"].to_numpy()),
        input_example=model.sample[names].head(EXAMPLE_ROWS),
        pip_requirements=[f"{name}=={installed(name)}" for name in ("scikit-learn", "numpy", "pandas", "cloudpickle")],
        serialization_format="cloudpickle",
        extra_files=[str(scratch / name) for name in (REFERENCE, SAMPLE, CARD)],
    )
    return folder


def _card(model: TrainedModel) -> dict[str, object]:
    return {
        "feature_set": model.feature_set,
        "features": list(model.features),
        "trained_through": model.trained_through.isoformat(),
        "metrics": dict(model.metrics),
        "thresholds": dict(model.thresholds),
    }


def _model_version(entry: Any, card_path: Path) -> ModelVersion:
    try:
        card = json.loads(card_path.read_text())
        return ModelVersion(
            model_name=entry.name,
            version=int(entry.version),
            run_id=entry.run_id,
            artifact_sha256=entry.tags[SHA256_TAG],
            feature_set=card["feature_set"],
            features=tuple(card["features"]),
            trained_through=date.fromisoformat(card["trained_through"]),
            metrics=card["metrics"],
            thresholds=card["thresholds"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the card of {entry.name} v{entry.version} cannot be read ({error!r}): {CARD}") from error


def _require_signature(version: ModelVersion, folder: Path) -> None:
    signature = get_model_info(str(folder)).signature
    named = tuple(signature.inputs.input_names()) if signature else ()
    if named != version.features:
        raise FeatureMismatchError(
            f"the signature of {version.label} names {list(named)}, its card {list(version.features)}; "
            f"train it again: hrp train"
        )


def _load_estimator(version: ModelVersion, folder: Path) -> Any:
    # A pickle read by another release may predict other numbers without an error: only a warning says so.
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            return mlflow.sklearn.load_model(str(folder))
        except (InconsistentVersionWarning, UnpicklingError, AttributeError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{version.label} cannot be used: {reason}; train it again: hrp train") from error


@contextmanager
def _translated(what: str) -> Iterator[None]:
    # MLflow's own use of its libraries, in words that its user can do nothing about.
    try:
        with warnings.catch_warnings():
            for message in OWN_WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ModelNotFoundError(f"{what}: {reason}; run: hrp models list MODEL") from error
        raise ModelError(f"{what}: {reason}") from error
    except (OSError, SQLAlchemyError) as error:
        raise ModelError(f"{what}: {error}") from error
