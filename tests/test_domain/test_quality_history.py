"""Night and history agree exactly; what the gate finds of the labelled defects of a real feed; the page about it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hrp.domain.quality import (
    CHECKS,
    HISTORY_SESSIONS,
    Effect,
    Finding,
    check_history,
    check_session,
    look_back,
    quarantined,
    stopped_by,
)
from hrp.domain.quality.board import Board, board
from hrp.domain.quality.flags import Moves, SecondVendor, decimal_slip
from hrp.domain.sessions import sessions_between

ROOT = Path(__file__).parents[2]
FLOOR = 0.95
ACTING = (Effect.QUARANTINE, Effect.FREEZE)


# The same functions by night and over history


@dataclass(frozen=True)
class Feed:
    bars: pd.DataFrame
    second: pd.DataFrame
    actions: pd.DataFrame


NAMES = [f"N{i:02}" for i in range(30)]


def damaged_feed(seed: int, names: int = 30) -> Feed:
    """Half a year of random walks that begin and end at different times, with a second vendor, splits, and faults of
    every sort strewn over a twentieth of the bars."""
    random = np.random.default_rng(seed)
    days = sessions_between(date(2021, 9, 1), date(2022, 3, 31))
    closes = 50 * np.exp(np.cumsum(random.normal(0, 0.01, (len(days), names)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(random.normal(0, 0.003, closes.shape))
    bars = pd.DataFrame(
        {
            "symbol": np.tile(NAMES[:names], len(days)),
            "session": np.repeat(days, names),
            "open": opens.ravel(),
            "high": np.maximum(opens, closes).ravel() * 1.004,
            "low": np.minimum(opens, closes).ravel() / 1.004,
            "close": closes.ravel(),
            "volume": random.lognormal(13, 0.3, closes.size).round(),
        }
    ).round(2)
    second = bars[["symbol", "session", "close", "volume"]].copy()
    actions = pd.DataFrame(
        {"symbol": ["N01", "N02"], "ex_session": [days[110], days[120]], "kind": "split", "value": 3}
    )
    return Feed(_damage(bars, names, random), second, actions)


def _damage(bars: pd.DataFrame, names: int, random: np.random.Generator) -> pd.DataFrame:
    prices = ["open", "high", "low", "close"]
    struck = np.array_split(random.permutation(len(bars))[: len(bars) // 20], 8)
    bars.loc[struck[0], random.choice(prices)] = np.nan
    bars.loc[struck[1], "close"] *= random.choice([-1, 0, 10, 1.5], len(struck[1]))
    bars.loc[struck[2], prices] *= random.choice([0.5, 0.8, 1.15, 10], len(struck[2]))[:, None]
    bars.loc[struck[3], "volume"] = 0
    bars.loc[struck[4], "low"] *= 1.1
    for back, rows in ((1, struck[5]), (3, struck[6])):
        rows = rows[rows >= back * names]
        bars.loc[rows, [*prices, "volume"]] = bars.loc[rows - back * names, [*prices, "volume"]].to_numpy()
    bars.loc[struck[5][::2], "volume"] += 1
    absent = struck[7]
    late = (bars["symbol"] == "N03") & (bars["session"] < date(2022, 1, 3))
    gone = (bars["symbol"] == "N04") & (bars["session"] > date(2021, 11, 1))
    return bars[~late & ~gone & ~bars.index.isin(absent)].reset_index(drop=True)


def as_of(feed: Feed, session: date) -> list[Finding]:
    """What a night finds that has only the look-back, and nothing later than its session."""
    days = look_back(session)
    first, last = pd.Timestamp(days[0]), pd.Timestamp(session)
    seen = feed.bars[pd.to_datetime(feed.bars["session"]).between(first, last)]
    second = feed.second[pd.to_datetime(feed.second["session"]).between(first, last)]
    actions = feed.actions[pd.to_datetime(feed.actions["ex_session"]).between(first, last)]
    return check_session(seen, sorted(seen["symbol"].unique()), session, FLOOR, second=second, actions=actions)


@pytest.mark.parametrize("seed", range(3))
def test_a_night_finds_what_the_history_finds_of_its_session_and_nothing_else(seed: int) -> None:
    feed = damaged_feed(seed)
    history = check_history(feed.bars, FLOOR, second=feed.second, actions=feed.actions)
    nights = sessions_between(date(2022, 2, 1), date(2022, 3, 31))[seed::3]

    assert [finding for finding in history if finding.session in nights] == [
        finding for session in nights for finding in as_of(feed, session)
    ]
    market_wide = {"MISSING_SESSION", "FROZEN_FEED", "REVERSED_SESSION", "UNFINISHED_SESSION"}
    rare = {"NON_SESSION_BAR", "STALE_SERIES", "LEVEL_SHIFT"}
    assert {finding.check for finding in history} >= set(CHECKS) - market_wide - rare


def test_what_the_checks_measure_is_the_same_by_night_to_the_last_bit() -> None:
    """The oldest gap that counts for N05, 61 sessions ago, looks back over four sessions without a bar."""
    feed = damaged_feed(5)
    days, night = sessions_between(date(2021, 9, 1), date(2022, 3, 31)), look_back(date(2022, 3, 31))
    feed = replace(feed, bars=feed.bars[~((feed.bars["symbol"] == "N05") & feed.bars["session"].isin(days[-66:-62]))])
    whole = board(feed.bars, days, NAMES, second=feed.second)
    tonight = board(feed.bars, night, NAMES, second=feed.second)

    for of in (measured_moves, SecondVendor.of):
        for name, matrix in vars(of(whole)).items():
            np.testing.assert_array_equal(matrix[-2:], getattr(of(tonight), name)[-2:], err_msg=name)
    np.testing.assert_array_equal(whole.activity[-1], tonight.activity[-1])


def measured_moves(seen: Board) -> Moves:
    return Moves.of(seen, decimal_slip(seen).mask)


# The labelled defects of a real feed


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path).rename(columns={"date": "session"})
    return frame.assign(session=pd.to_datetime(frame["session"]))


@pytest.fixture(scope="module")
def feed(real_data: Path) -> Feed:
    """505 names over the thirteen months with most of the errors, and another vendor's bars of them."""
    files = (real_data / "prices_sp500_5y.parquet", real_data / "prices_sp500_5y_yahoo_2017_12.parquet")
    bars, second = (_read(file) for file in files)
    months = pd.Timestamp("2013-11-01"), pd.Timestamp("2014-11-28")
    none = pd.DataFrame({"symbol": [], "ex_session": [], "kind": [], "value": []})
    return Feed(bars[bars["session"].between(*months)], second[second["session"].between(*months)], none)


@pytest.fixture(scope="module")
def real_findings(feed: Feed) -> list[Finding]:
    return check_history(feed.bars, FLOOR, second=feed.second)


@pytest.mark.parametrize("session", [date(2014, 7, 18), date(2014, 8, 6), date(2014, 10, 31), date(2014, 11, 28)])
def test_real_nights_find_what_the_history_finds(feed: Feed, real_findings: list[Finding], session: date) -> None:
    assert [finding for finding in real_findings if finding.session == session] == as_of(feed, session) != []


def test_known_defects_are_found_and_clean_bars_left_alone(
    real_data: Path, feed: Feed, real_findings: list[Finding]
) -> None:
    labels = _read(real_data / "known_defects.parquet")
    labels = labels[labels["session"].between(feed.bars["session"].min(), feed.bars["session"].max())]
    known = {(symbol, day.date()) for symbol, day in zip(labels["symbol"], labels["session"], strict=True)}
    acting = [f for f in real_findings if f.effect in ACTING and f.symbol in set(labels["symbol"])]
    accused = {(finding.symbol, day) for finding in acting for day in finding.bars}
    false = [finding for finding in acting if not {(finding.symbol, day) for day in finding.bars} & known]
    clean = feed.bars["symbol"].isin(labels["symbol"]).sum() - len(known)

    assert len(known) > 250
    assert known - accused == set()
    assert len(false) <= 20 * clean / 100_000


@pytest.mark.parametrize(
    ("session", "stop"),
    [
        (date(2014, 7, 18), "FROZEN_FEED: repeated=103, expected=486"),
        (date(2014, 8, 4), "FROZEN_FEED: repeated=214, expected=487"),
        (date(2014, 10, 31), "REVERSED_SESSION: reversed=81, expected=488"),
    ],
)
def test_a_real_feed_that_failed_as_a_whole_stops_the_night(
    real_findings: list[Finding], session: date, stop: str
) -> None:
    stops = stopped_by([finding for finding in real_findings if finding.session == session])

    assert [f"{finding.check}: {finding.detail}" for finding in stops] == [stop]


@pytest.mark.parametrize(
    ("session", "reasons"),
    [
        (date(2014, 8, 7), {"DISCA": "PRICE_JUMP, return=-50.6%", "DISCK": "PRICE_JUMP, return=-51.0%"}),
        (date(2014, 10, 1), {
            "ADP": "LEVEL_SHIFT, gap=-12.1%, volume=1.9x",  # CDK was spun off, and no action recorded
            "IBM": "REPEATED_PRICES, close=187.17, bar=2014-09-30",
        }),
        (date(2014, 8, 6), {
            "ETN": "CLOSE_REVERSED, away=+3.1%, back=-4.3%, bar=2014-08-05",
            "PNC": "CLOSE_REVERSED, away=+3.5%, back=-4.2%, bar=2014-08-05",
        }),
        *((date(2014, 7, day), {}) for day in (14, 15, 16, 22, 25)),
    ],
)  # fmt: skip
def test_without_a_second_vendor_the_plain_defects_still_keep_their_names(
    feed: Feed, session: date, reasons: dict[str, str]
) -> None:
    none = Feed(feed.bars, feed.second.iloc[:0], feed.actions)

    assert quarantined(as_of(none, session)) == {name: f"QUARANTINED: check={why}" for name, why in reasons.items()}


# The benchmark and the page


def test_the_benchmark_counts_recall_by_kind_and_false_findings_of_covered_names(tmp_path: Path) -> None:
    """N00 has two labels, one found; N01 one, found, and a jump without a label; N02 is not covered."""
    feed = damaged_feed(1, names=3)
    days = sorted(feed.second["session"].unique())
    clean = feed.second.assign(**dict.fromkeys(["open", "high", "low"], feed.second["close"]))
    clean = clean[clean["session"] > days[60]]
    at = {day: clean["session"] == days[day] for day in (100, 110, 120)}
    clean.loc[at[100] & clean["symbol"].isin(["N00", "N01", "N02"]), "volume"] = 0
    clean.loc[at[110] & (clean["symbol"] == "N01"), ["open", "high", "low", "close"]] *= 1.5
    clean.loc[(clean["session"] > days[110]) & (clean["symbol"] == "N01"), ["open", "high", "low", "close"]] *= 1.5
    labels = [("N00", days[100], "zero_volume"), ("N00", days[120], "repeated_bar"), ("N01", days[100], "zero_volume")]
    pd.DataFrame(labels, columns=["symbol", "date", "kind"]).to_parquet(tmp_path / "labels.parquet")
    clean.rename(columns={"session": "date"}).to_parquet(tmp_path / "prices.parquet")
    files = ["--labels", "labels.parquet", "--prices", "prices.parquet", "--second-vendor", "prices.parquet"]

    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "quality.py", *files],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    rows = 2 * clean["session"].nunique() - 3
    assert "zero_volume      recall 1.000 (2/2)" in done.stdout
    assert "repeated_bar     recall 0.000 (0/1)" in done.stdout
    assert f"false findings   1 in {rows} clean rows: PRICE_JUMP 1" in done.stdout
    assert done.stdout.splitlines()[-1] == f"quality: recall_min=0.000 false_per_100k={1e5 / rows:.1f}"


def test_the_page_lists_every_check_as_the_code_has_it() -> None:
    table = "\n".join(
        f"| `{check.name}` | {check.severity} | {check.effect} | {check.bars} | {check.when} |"
        for check in CHECKS.values()
    )
    page = " ".join((ROOT / "docs" / "data.md").read_text(encoding="utf-8").split())
    assert " ".join(table.split()) in page, f"put this into docs/data.md:\n{table}"
    assert f"the {HISTORY_SESSIONS} sessions before it" in page
