"""Training and searching on a cluster of two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hrp.errors import ConfigError, ModelError, RequirementNotMetError
from hrp.ml.features import CORE
from hrp.ml.search import search
from hrp.ml.training import train
from hrp.wiring import build

from .test_training import reverting_market

distributed = pytest.importorskip("distributed")
from hrp.ml.cluster import joined  # noqa: E402 - after what it needs is known to be here

pytestmark = pytest.mark.timeout(300)  # each worker is a process that imports everything on its own


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def app_of(home: Path, scheduler: str) -> Any:
    (home / ".env").write_text(f"HRP_HOME={home}\nHRP_DASK_SCHEDULER={scheduler}\n")
    return build(home / ".env")


def test_a_search_on_two_processes_gives_identical_results(cluster, tmp_path):
    market = reverting_market(3)
    space = {"ridge__alpha": [0.1, 10.0, 1000.0, 100000.0]}
    asked: dict[str, Any] = {"feature_set": CORE, "through": market.sessions[-1].date(), "horizon": 1, "folds": 2}
    here = search(market, space, **asked)

    with app_of(tmp_path, cluster.scheduler_address).workers():
        there = search(market, space, **asked)
        model = train(market, model_name="edge", found=there, **asked)
    with distributed.Client(cluster) as client:
        done = client.run(lambda dask_worker: dask_worker.state.executed_count)

    assert len(done) == 2
    assert sum(done.values()) > 0
    assert there.trials == here.trials
    pd.testing.assert_frame_equal(there.spreads, here.spreads, check_exact=True)
    assert model.metrics == train(market, model_name="edge", found=here, **asked).metrics


def test_an_error_on_a_worker_is_the_same_error(cluster, tmp_path, panel):
    asked: dict[str, Any] = {"feature_set": CORE, "through": panel.sessions[-1].date()}

    with (
        app_of(tmp_path, cluster.scheduler_address).workers(),
        pytest.raises(ModelError, match=r"cannot be fitted .*'alpha'"),
    ):
        search(panel, {"ridge__alpha": [-1.0]}, **asked)


def test_without_a_scheduler_everything_runs_here(tmp_path):
    with app_of(tmp_path, "").workers() as nothing:
        assert nothing is None


def test_a_scheduler_that_does_not_answer_is_named():
    with (
        pytest.raises(RequirementNotMetError, match=r"HRP_DASK_SCHEDULER=tcp://127\.0\.0\.1:1 .*dask scheduler"),
        joined("tcp://127.0.0.1:1", timeout_seconds=0.2),
    ):
        pytest.fail("there is nothing to work on")


def test_a_scheduler_without_workers_is_told_apart():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(RequirementNotMetError, match="has no worker; start one: dask worker tcp://"),
        joined(empty.scheduler_address, timeout_seconds=0.2),
    ):
        pytest.fail("there is nothing to work on")


def test_a_scheduler_without_dask_here_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("hrp.wiring.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"needs Dask; install it: pip install 'hrp\[dask\]'"):
        app_of(tmp_path, "tcp://127.0.0.1:1").workers()
