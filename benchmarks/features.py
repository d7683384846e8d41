"""What features cost, beside general engines: `python benchmarks/features.py [ROUNDS]`.

Workloads: fourteen features of alpha158 for 800 symbols × 3,528 sessions; all 158 for 500 × 1,260; the last session of
sixty features for 3,000 symbols with 260 sessions of history, beside their history of five years. Every engine runs in
a process of its own, in turns; a figure is the median of the rounds and counts reading the bars (matrices for HRP and
pandas, Parquet for polars) and computing, not imports or loading compiled code. polars is compared if it is installed.
The bars are seeded random walks. `floor` is the time to move as many bytes as go in and come out through memory that is
already there. The speed-up is the smaller of the two workloads.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from hrp.ml.features import ALPHA158, CATALOGUE, FIELDS, FeatureSet, Panel, compute

ORACLE = Path(__file__).parents[1] / "tests" / "test_ml" / "alpha158_pandas.py"
FOURTEEN = (
    "KMID", "KLEN", "KUP", "KLOW", "KSFT", "ROC5", "ROC20", "MA5", "MA20", "STD5", "STD20", "MAX20", "MIN20", "VMA5",
)  # fmt: skip
SETS = {
    "f14": FeatureSet("f14", tuple(f for f in ALPHA158.features if f.name in FOURTEEN)),
    "f158": ALPHA158,
    "last": FeatureSet("sixty", CATALOGUE.features[:60]),
}
SHAPES = {"f14": (3528, 800), "f158": (1260, 500), "last": (1260, 3000)}
ENGINES = {"f14": ["hrp", "polars", "pandas"], "f158": ["hrp", "polars"]}
HISTORY = 260
CHUNK = 25
T = TypeVar("T")


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for workload, shape in SHAPES.items():
            _write(folder / workload, *shape, parquet=workload in ENGINES)
        _child("f158", "hrp", folder)  # compiles, once for every machine
        seconds = {workload: _race(workload, folder, rounds) for workload in ENGINES}
        last = _child("last", "hrp", folder)
        print(
            f"last   full={last['full']:.3f}s last={last['seconds']:.4f}s ratio={last['full'] / last['seconds']:.0f} "
            f"equal={last['equal']} peak={last['peak']:.0f}MiB"
        )
        errors = [_child(workload, "error", folder)["error"] for workload in ENGINES]
    ratios = [times["polars"] / times["hrp"] for times in seconds.values() if "polars" in times]
    against = f"{min(ratios):.1f}" if ratios else "not-installed"
    f14, f158 = seconds["f14"]["hrp"], seconds["f158"]["hrp"]
    print(
        f"features: f14={f14:.3f}s f158={f158:.3f}s last3000={last['seconds']:.4f}s "
        f"speedup_vs_polars={against} max_error={max(errors):.1e}"
    )


def _race(workload: str, folder: Path, rounds: int) -> dict[str, float]:
    """Median seconds by engine."""
    engines = [e for e in ENGINES[workload] if e != "polars" or importlib.util.find_spec("polars")]
    runs = [{engine: _child(workload, engine, folder) for engine in engines} for _ in range(rounds)]
    middle = {e: {k: statistics.median(r[e][k] for r in runs) for k in runs[0][e]} for e in engines}
    ours = middle["hrp"]
    for engine, figures in middle.items():
        print(
            f"{workload:6} {engine:7} seconds={figures['seconds']:.3f} compute={figures['compute']:.3f} "
            f"cpu={figures['cpu']:.3f} process={figures['process']:.2f} peak={figures['peak']:.0f}MiB "
            f"ratio={figures['seconds'] / ours['seconds']:.1f} cpu_ratio={figures['cpu'] / ours['cpu']:.1f}"
        )
    floor = _floor(*SHAPES[workload], len(SETS[workload].features))
    print(f"{workload:6} floor   seconds={floor:.3f} hrp_compute_over_floor={ours['compute'] / floor:.1f}")
    return {engine: figures["seconds"] for engine, figures in middle.items()}


def _floor(sessions: int, symbols: int, features: int) -> float:
    """Half of what goes in and comes out, copied: as many bytes move."""
    source = np.ones((len(FIELDS) + features) * sessions * symbols // 2)
    target = source.copy()
    times = [_timed(lambda: np.copyto(target, source))[0] for _ in range(5)]
    return statistics.median(times)


def _child(workload: str, engine: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", workload, engine, str(folder / workload)]
    seconds, done = _timed(lambda: subprocess.run(command, check=True, capture_output=True, text=True))
    return {**json.loads(done.stdout), "process": seconds}


def _run_child(workload: str, engine: str, folder: Path) -> None:
    figures = {"hrp": _last if workload == "last" else _hrp, "polars": _polars, "pandas": _pandas, "error": _error}
    result = figures[engine](workload, folder)
    print(json.dumps(result | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def _measured(read: Callable[[], object], work: Callable[..., object]) -> dict[str, float]:
    cpu = time.process_time()
    reading, bars = _timed(read)
    computing, result = _timed(lambda: work(bars))
    del result
    return {"seconds": reading + computing, "compute": computing, "cpu": time.process_time() - cpu}


def _hrp(workload: str, folder: Path) -> dict[str, float]:
    compute(SETS[workload], _panel(folder).tail(70).columns(slice(0, 2)))  # loads the compiled code, as an import would
    return _measured(lambda: _panel(folder), lambda panel: compute(SETS[workload], panel))


def _polars(workload: str, folder: Path) -> dict[str, float]:
    import polars as pl
    from features_peers import polars_features

    names = list(SETS[workload].names)
    return _measured(lambda: pl.read_parquet(folder / "bars.parquet"), lambda bars: polars_features(bars, names))


def _pandas(workload: str, folder: Path) -> dict[str, float]:
    from features_peers import pandas_wide

    return _measured(lambda: {field: _panel(folder).wide(field) for field in FIELDS}, pandas_wide)


def _last(workload: str, folder: Path) -> dict[str, float]:
    panel, sixty = _panel(folder), SETS[workload]
    recent = panel.tail(HISTORY)
    compute(sixty, recent, last_only=True)
    seconds, alone = min((_timed(lambda: compute(sixty, recent, last_only=True)) for _ in range(5)), key=lambda x: x[0])
    full, history = _timed(lambda: compute(sixty, panel))
    return {"seconds": seconds, "full": full, "equal": alone.equals(history.loc[panel.sessions[-1:]])}


def _error(workload: str, folder: Path) -> dict[str, float]:
    """The largest difference from pandas in any value, relative above 1; what is missing must be missing in both."""
    from features_peers import pandas_wide

    oracle = pandas_wide if workload == "f14" else runpy.run_path(str(ORACLE))["alpha158"]
    panel, feature_set, worst = _panel(folder), SETS[workload], 0.0
    for left in range(0, len(panel.symbols), CHUNK):
        part = panel.columns(slice(left, left + CHUNK))
        ours = compute(feature_set, part)
        expected = oracle({field: part.wide(field) for field in FIELDS})
        for name in feature_set.names:
            a, b = ours[name].to_numpy(), expected[name].to_numpy().ravel()
            assert np.array_equal(np.isnan(a), np.isnan(b)), name
            worst = max(worst, float(np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 1.0))))
    return {"error": worst}


def _write(folder: Path, sessions: int, symbols: int, parquet: bool) -> None:
    """Seeded bars: matrices for the panel, and one long Parquet file sorted by symbol and session."""
    folder.mkdir()
    rng, shape = np.random.default_rng(sessions), (sessions, symbols)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.015, shape), axis=0))
    opens = close * np.exp(rng.normal(0.0, 0.01, shape))
    high = np.maximum(opens, close) * (1.0 + rng.uniform(0.0, 0.01, shape))
    low = np.minimum(opens, close) * (1.0 - rng.uniform(0.0, 0.01, shape))
    volume = np.round(np.exp(rng.normal(13.0, 0.5, shape)))
    matrices = dict(zip(FIELDS, (opens, high, low, close, volume), strict=True))
    for field, matrix in matrices.items():
        np.save(folder / f"{field}.npy", matrix)
    if parquet:
        keys = {"symbol": np.repeat(_symbols(symbols), sessions), "session": np.tile(_sessions(sessions), symbols)}
        columns = {field: matrix.T.ravel() for field, matrix in matrices.items()}
        pd.DataFrame({**keys, **columns}).to_parquet(folder / "bars.parquet")


def _panel(folder: Path) -> Panel:
    matrices = [np.load(folder / f"{field}.npy") for field in FIELDS]
    sessions, symbols = matrices[0].shape
    return Panel(_sessions(sessions), pd.Index(_symbols(symbols), name="symbol", dtype="str"), *matrices)


def _sessions(count: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2005-01-03", periods=count, name="session")


def _symbols(count: int) -> list[str]:
    return [f"S{number:04d}" for number in range(count)]


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _run_child(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
