"""What the quality gate finds of known defects, and what it accuses without reason: `python benchmarks/quality.py`.

The gate runs over every session of a price file as on that evening: it sees bars of the session and before, and may
take back the bar of the session before. Labels are (symbol, date, kind) of known defects.

Counted is what has an effect (quarantine, freeze) on a bar of a symbol that the label file names; warnings and findings
about the whole market are not.
- recall of a kind: labels of whose symbol and date the gate accuses the bar, by any check, the same night or the next
- false finding: a finding none of whose bars (two, if it says that one repeats the other) has a label of any kind
- clean rows: bars of those symbols without a label
- recall_min: over the kinds that are detectable by design. With a second vendor these are all. Without one a wrong
  close of a percent or two, and an unrecorded step of the size of news, are not: `bad_close` and `level_shift` are
  printed and left out of it.
The last line is of the gate as it was called: with the second vendor if there is one. The default one took part in the
labels of `bad_close` and `level_shift`, so it finds them by construction; for a figure that does not lean on it, name
another with `--second-vendor`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from hrp.domain.quality import Effect, Finding, check_history

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COVERAGE_FLOOR = 0.95
NEEDS_SECOND_VENDOR = {"bad_close", "level_shift"}
Row = tuple[str, object]


def main() -> None:
    asked = _arguments()
    bars, labels = _read(asked.prices), _read(asked.labels)
    second = _read(asked.second_vendor) if asked.second_vendor else None
    last = _run(bars, labels, None)
    if second is not None:
        last = _run(bars, labels, second)
    print(last)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--labels", type=Path, default=DATA / "known_defects.parquet")
    parser.add_argument("--prices", type=Path, default=DATA / "prices_sp500_5y.parquet")
    second = DATA / "prices_sp500_5y_yahoo_2017_12.parquet"
    parser.add_argument("--second-vendor", type=Path, default=second if second.exists() else None)
    asked = parser.parse_args()
    for file in filter(None, vars(asked).values()):
        if not file.exists():
            parser.error(f"{file} does not exist; name the files with --labels, --prices and --second-vendor")
    return asked


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path).rename(columns={"date": "session"})
    return frame.assign(session=pd.to_datetime(frame["session"]))


def _run(bars: pd.DataFrame, labels: pd.DataFrame, second: pd.DataFrame | None) -> str:
    started = time.perf_counter()
    findings = check_history(bars, COVERAGE_FLOOR, second=second)
    seconds = time.perf_counter() - started
    known = {(s, day.date()): kind for s, day, kind in labels[["symbol", "session", "kind"]].itertuples(index=False)}
    covered = set(labels["symbol"])
    acting = [f for f in findings if f.symbol in covered and f.effect in (Effect.QUARANTINE, Effect.FREEZE)]
    accused = {(finding.symbol, day) for finding in acting for day in finding.bars}
    false = [f for f in acting if not any((f.symbol, day) in known for day in f.bars)]
    clean = int(bars["symbol"].isin(covered).sum()) - sum(kind != "missing_session" for kind in known.values())
    vendor = "without a second vendor" if second is None else "with a second vendor"
    print(f"\n{vendor}: {len(bars)} bars, {seconds:.1f} s, {_stops(findings)}")
    recalls = _recalls(labels, accused, second is not None)
    print(f"{'false findings':16} {len(false)} in {clean} clean rows: {_by_check(false)}")
    print(f"{'warnings':16} {_by_check([f for f in findings if f.symbol in covered and f.effect is Effect.WARN])}")
    return f"quality: recall_min={min(recalls):.3f} false_per_100k={1e5 * len(false) / clean:.1f}"


def _recalls(labels: pd.DataFrame, accused: set[Row], has_second: bool) -> list[float]:
    """Print the recall of each kind; those of the kinds that are detectable by design."""
    counted = []
    for kind, group in labels.groupby("kind"):
        found = sum(
            (symbol, day.date()) in accused for symbol, day in zip(group["symbol"], group["session"], strict=True)
        )
        by_design = has_second or kind not in NEEDS_SECOND_VENDOR
        print(
            f"{kind:16} recall {found / len(group):.3f} ({found}/{len(group)}){'' if by_design else ', not by design'}"
        )
        counted += [found / len(group)] if by_design else []
    return counted


def _stops(findings: list[Finding]) -> str:
    stops = [f for f in findings if f.effect is Effect.STOP]
    return "stopped: " + "; ".join(f"{f.session} {f.check} ({f.detail})" for f in stops)


def _by_check(findings: list[Finding]) -> str:
    return ", ".join(f"{check} {count}" for check, count in Counter(f.check for f in findings).most_common()) or "none"


if __name__ == "__main__":
    main()
