"""hrp train, with a search before it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from workspaces import Workspace

from hrp.errors import EXIT_USAGE

from .conftest import Hrp

SEARCH = ["--try", "ridge__alpha=1,1e9", "--try", "ridge__solver=cholesky,svd", "--no-tearsheet"]


def trials_of(lab: Workspace, run_id: str) -> pd.DataFrame:
    (found,) = Path(lab.app.settings.artifact_root, run_id).rglob("trials.csv")
    return pd.read_csv(StringIO(found.read_text(encoding="utf-8")))


def test_every_trial_of_a_search_counts_against_the_version_and_is_kept_with_its_run(hrp: Hrp, lab: Workspace):
    said = hrp("train", "searched", *SEARCH, "--json", over=lab).json

    trials = trials_of(lab, said["run_id"])

    assert said["metrics"]["trials"] == len(trials) == 4
    assert set(zip(trials["ridge__alpha"], trials["ridge__solver"], strict=True)) == {
        (1.0, "cholesky"), (1.0, "svd"), (1e9, "cholesky"), (1e9, "svd"),
    }  # fmt: skip
    assert said["metrics"]["sharpe_per_observation"] == pytest.approx(trials["sharpe"].max())
    assert {"pbo", "pbo_loss", "deflated_sharpe", "rank_ic_low", "rank_ic_high"} <= set(said["metrics"])


def test_a_search_can_draw(hrp: Hrp, lab: Workspace):
    said = hrp("train", "drawn", *SEARCH, "--draws", "2", "--json", over=lab).json

    assert said["metrics"]["trials"] == 2


def test_the_label_is_a_setting(hrp: Hrp, lab: Workspace):
    lab.env_file.write_text(lab.env_file.read_text(encoding="utf-8") + "\nHRP_LABEL=open_to_open\n", encoding="utf-8")

    said = hrp("train", "opens", "--no-tearsheet", "--json", over=lab).json

    version = lab.app.registry().version("opens", said["version"])
    assert lab.app.registry().params(version)["label"] == "open_to_open_5"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("alpha", "--try 'alpha' names no values; write it as ridge__alpha=1,10,100"),
        ("alpha=1", "the estimator has no parameter 'alpha'; it has"),
    ],
)
def test_a_search_for_what_is_not_there_says_what_there_is(words: str, message: str, hrp: Hrp, lab: Workspace):
    said = hrp("train", "wrong", "--try", words, over=lab)

    assert said.code == EXIT_USAGE
    assert message in said.err
