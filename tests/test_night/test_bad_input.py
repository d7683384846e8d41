"""Bad input as specification: one line that says what, where and what next; the exit code; an event; nothing else."""

from __future__ import annotations

import math
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from hrp.agents.run_job import run_command
from hrp.agents.runner import Options
from hrp.data import models as store_models
from hrp.rehearsal.processes import PROCESSES
from hrp.rehearsal.stage import MODEL, evening

from . import doomed
from .conftest import BEFORE, FEATURED, GOOD, HUNGRY, READY, TAMPERED
from .workspace import D1, D2, DONE, FAILED, HOLIDAY, NOT_READY, SEND, USAGE, Night

Opened = Callable[[str], Night]


def with_bar(bars: pd.DataFrame, symbol: str, **prices: float) -> pd.DataFrame:
    """The bars with other prices in D1's bar of `symbol`."""
    changed = bars.copy()
    for field, price in prices.items():
        changed.loc[(changed["symbol"] == symbol) & (changed["session"] == D1), field] = price
    return changed


# Prices


def test_a_session_without_any_price_is_refused(quietly: Opened, bars: pd.DataFrame) -> None:
    night = quietly(BEFORE)
    night.source(bars[bars["session"] < D1])

    night.refuses("nightly", *SEND, code=NOT_READY, saying=[
        f"files:source.parquet has no prices of session {D1}", "newest: 2022-12-20", f"hrp run prices --session {D1}",
    ])  # fmt: skip


def test_half_a_session_stops_the_night(quietly: Opened, bars: pd.DataFrame) -> None:
    night = quietly(BEFORE)
    night.source(bars[(bars["session"] < D1) | bars["symbol"].isin(["AAA", "BBB", "CCC", "NA", "ON", "TRUE"])])

    night.refuses("nightly", *SEND, code=NOT_READY, besides=["prices_raw", "quality_findings"], saying=[
        f"the night of {D1} stops", "usable=6, expected=12, share=50.0%, required=90.0%", "hrp run prices",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("close", "finding"),
    [
        (0.0, ["BAD_PRICE", "NA", "quarantine", "lowest=0"]),
        (-3.5, ["BAD_PRICE", "NA", "quarantine", "lowest=-3.5"]),
        (math.nan, ["NULL_PRICE", "NA", "quarantine", "null=close"]),
    ],
)
def test_a_price_that_is_none_keeps_its_name_out_of_the_night(
    quietly: Opened, bars: pd.DataFrame, close: float, finding: list[str]
) -> None:
    night = quietly(BEFORE)
    night.source(with_bar(bars, "NA", close=close))
    night.run("prices")

    said = night.run("quality")

    assert (said.code, said.job("quality")["quarantined"]) == (DONE, ["NA"])
    assert finding in said.job("quality")["findings"]
    assert night.run("features").job("features")["symbols"] == 11


def test_a_name_with_a_bad_price_is_not_traded_and_the_others_are(quietly: Opened, bars: pd.DataFrame) -> None:
    night = quietly(BEFORE)
    night.source(with_bar(bars, "NA", close=0.0))

    with night.nothing_sent():
        said = night.run("nightly")

    planned = [row[0] for row in said.job("live-trader")["orders"]]
    assert said.code == DONE
    assert len(planned) == 5 and "NA" not in planned
    assert "NA" not in {row["symbol"] for row in night.rows("predictions", f"session = '{D1}'")}


def test_an_infinite_price_is_refused(quietly: Opened, bars: pd.DataFrame) -> None:
    night = quietly(BEFORE)
    night.source(with_bar(bars, "CCC", high=math.inf))

    night.refuses("nightly", *SEND, code=FAILED, saying=[
        "bars, row", "high is infinite", f"CCC, {D1}", "leave it empty", "run the command again",
    ])  # fmt: skip


def test_a_key_that_stands_twice_in_the_source_is_refused(quietly: Opened, bars: pd.DataFrame) -> None:
    night = quietly(BEFORE)
    night.source(pd.concat([bars, bars[(bars["symbol"] == "CCC") & (bars["session"] == D1)]]))

    night.refuses("nightly", *SEND, code=FAILED, saying=[
        "1 duplicate keys", f"symbol=CCC, session={D1}", "none was saved", "hrp run prices",
    ])  # fmt: skip


# Tickers that look like something else


def test_true_and_na_pass_as_text_from_prices_to_predictions(quietly: Opened) -> None:
    night = quietly(READY)

    for table in ("prices_raw", "features", "predictions"):
        found = {row["symbol"] for row in night.rows(table, f"session = '{D1}'", "DISTINCT symbol")}
        assert {"TRUE", "NA", "ON"} <= found, table
        assert len(found) == 12
    assert not {"TRUE", "NA"} & {row["symbol"] for row in night.rows("quality_findings")}


@pytest.mark.parametrize(
    ("ticker", "mangled", "said"),
    [("TRUE", True, "symbol is True (bool), not text"), ("NA", None, "symbol is None (NoneType), not text")],
)
def test_a_ticker_that_a_careless_program_has_mangled_is_refused(
    quietly: Opened, bars: pd.DataFrame, tmp_path: Path, ticker: str, mangled: bool | None, said: str
) -> None:
    night = quietly(BEFORE)
    folder = tmp_path / "bars"
    folder.mkdir()
    for symbol, rows in bars.groupby("symbol"):
        rows.assign(symbol=mangled if symbol == ticker else symbol).to_parquet(folder / f"{symbol}.parquet")
    night.set(HRP_PRICE_SOURCE=folder)

    night.refuses("nightly", *SEND, code=FAILED, saying=[
        f"{ticker}.parquet, row 0", said, "dtype={'symbol': str}", "run the command again",
    ])  # fmt: skip


# Models


def test_a_model_without_a_champion_is_refused(quietly: Opened) -> None:
    night = quietly(FEATURED)
    app = night.app
    with app.store().write() as con:
        (strategy,) = store_models.load_strategies(con)
        store_models.save_strategy(con, replace(strategy, model_name="orphan"))

    night.refuses("predictions", code=NOT_READY, saying=[
        "orphan has no champion", "hrp models list orphan", "hrp models promote orphan VERSION",
    ])  # fmt: skip


def test_a_model_that_needs_an_absent_feature_is_refused(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(HUNGRY)

    night.refuses("predictions", code=FAILED, saying=[
        f"{MODEL} v{HUNGRY} was trained on", "1 are not offered", str(D1), "tomorrow", "hrp run features",
    ])  # fmt: skip


def test_a_champion_whose_files_are_not_the_registered_ones_is_refused(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(TAMPERED)

    night.refuses("predictions", code=FAILED, saying=[
        f"the files of {MODEL} v{TAMPERED} have changed: sha256", "registered as", f"hrp models rollback {MODEL}",
    ])  # fmt: skip


def test_a_champion_whose_hash_is_not_the_one_of_its_promotion_is_refused(quietly: Opened) -> None:
    night = quietly(FEATURED)
    night.own_registry()
    night.champion(GOOD, sha256="0" * 64)

    night.refuses("predictions", code=NOT_READY, saying=[
        f"files of {MODEL} v{GOOD} have hash", "the ledger says 000000000000", f"hrp models promote {MODEL} VERSION",
    ])  # fmt: skip


# The broker


def test_a_gateway_that_does_not_run_is_refused(quietly: Opened) -> None:
    night = quietly(READY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    night.set(IBKR_PORT=port)

    night.refuses("live-trader", *SEND, code=NOT_READY, saying=[f"127.0.0.1:{port}", "hrp gateway start"])


def test_another_account_is_refused(quietly: Opened) -> None:
    night = quietly(READY)
    night.set(IBKR_ACCOUNT="DU7654321")

    night.refuses("position-sync", code=NOT_READY, saying=[
        "serves DU1234567, not account DU7654321", "set IBKR_ACCOUNT",
    ])  # fmt: skip


def test_a_live_port_in_paper_mode_is_refused_before_anything_is_opened(quietly: Opened) -> None:
    night = quietly(READY)
    night.set(IBKR_PORT=7496)

    night.refuses("nightly", *SEND, code=USAGE, event=False, saying=[
        "IBKR_PORT=7496 is a live port", "IBKR_PAPER_TRADING=true", "paper is 7497 or 4002", str(night.env_file),
    ])  # fmt: skip


def test_a_host_clock_away_from_the_brokers_is_refused(quietly: Opened) -> None:
    night = quietly(READY)
    night.set_clock(evening(D1) + timedelta(minutes=5))

    night.refuses("live-trader", *SEND, code=NOT_READY, saying=[
        "host clock says 2022-12-21 23:35:00 UTC, broker says 2022-12-21 23:30:00 UTC", "set the host's clock",
    ])  # fmt: skip


# The command


def test_a_holiday_is_refused_with_its_neighbours(quietly: Opened) -> None:
    night = quietly(BEFORE)
    night.set_clock(evening(HOLIDAY + timedelta(days=1)))

    night.refuses("nightly", *SEND, "--session", str(HOLIDAY), code=USAGE, saying=[
        "2022-12-26 is not an XNYS session", "--session 2022-12-23", "--session 2022-12-27",
    ])  # fmt: skip


def test_a_session_that_has_not_closed_is_refused(quietly: Opened) -> None:
    quietly(BEFORE).refuses("nightly", *SEND, "--session", str(D2), code=USAGE, saying=[
        "session 2022-12-22 closes at 2022-12-22 21:00 UTC and now is 2022-12-21 23:30 UTC",
        "the last closed session is 2022-12-21",
    ])  # fmt: skip


def test_a_session_that_has_not_opened_is_not_synced(quietly: Opened) -> None:
    quietly(BEFORE).refuses("position-sync", "--session", str(D2), code=USAGE, saying=[
        "session 2022-12-22 has not opened", "the newest one is 2022-12-21",
    ])  # fmt: skip


def test_a_session_that_is_no_date_is_refused(quietly: Opened) -> None:
    quietly(BEFORE).refuses("nightly", "--session", "nonsense", code=USAGE, saying=[
        "'nonsense' is not a date", "YYYY-MM-DD",
    ])  # fmt: skip


def test_a_job_that_does_not_exist_is_refused(quietly: Opened) -> None:
    quietly(BEFORE).refuses("nighty", code=USAGE, saying=[
        "there is no job 'nighty'", "nightly, prices, quality, features", "hrp run nightly",
    ])  # fmt: skip


def test_a_job_whose_requirement_has_not_run_is_refused(quietly: Opened) -> None:
    quietly(FEATURED).refuses("live-trader", *SEND, code=NOT_READY, saying=[
        f"live-trader for {D1} needs predictions", f"hrp run predictions --session {D1}",
    ])  # fmt: skip


def test_a_second_night_is_refused_while_one_runs(quietly: Opened) -> None:
    night = quietly(BEFORE)
    held, let_go = PROCESSES.Event(), PROCESSES.Event()
    first = PROCESSES.Process(target=doomed.hold_claim, args=(night.home, held, let_go))
    first.start()
    assert held.wait(60)
    try:
        night.refuses("nightly", *SEND, code=NOT_READY, saying=[
            f"nightly (process {first.pid}) is running in {night.home}", "then run nightly again",
        ])  # fmt: skip
    finally:
        let_go.set()
        first.join(60)

    assert night.run("prices").code == DONE


# The machine


def test_a_settings_file_that_is_damaged_is_refused_with_its_line(quietly: Opened) -> None:
    night = quietly(BEFORE)
    text = night.env_file.read_text()
    night.env_file.write_text(f"{text}IBKR_ACCOU\n")

    night.refuses("nightly", *SEND, code=USAGE, event=False, saying=[
        f"{night.env_file} line {len(text.splitlines()) + 1}", "'IBKR_ACCOU' is not NAME=value", "mend or remove",
    ])  # fmt: skip


def test_a_settings_file_that_is_no_text_is_refused(quietly: Opened) -> None:
    night = quietly(BEFORE)
    night.env_file.write_bytes(b"HRP_HOME=\xff\xfe\n")

    night.refuses("nightly", *SEND, code=USAGE, event=False, saying=[
        str(night.env_file), "cannot be read", "restore it from .env.example",
    ])  # fmt: skip


def test_a_workspace_that_cannot_be_is_refused(quietly: Opened) -> None:
    night = quietly(BEFORE)
    (night.home / "file").touch()
    night.set(HRP_HOME=night.home / "file" / "home")

    night.refuses("nightly", *SEND, code=FAILED, event=False, saying=[
        f"cannot write to {night.home}/file/home", "Not a directory", "set HRP_HOME",
    ])  # fmt: skip


def test_a_read_only_disk_is_refused(quietly: Opened, tmp_path: Path) -> None:
    night = quietly(BEFORE)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount")
    try:
        shutil.copytree(night.home, disk / "home")
        night.set(HRP_HOME=disk / "home")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        night.refuses("nightly", *SEND, code=FAILED, event=False, saying=[
            f"cannot write to {disk}/home", "Read-only file system", "set HRP_HOME",
        ])  # fmt: skip
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("room", [0, 600, 6_000])
def test_a_full_disk_is_refused_and_leaves_nothing_half_written(
    quietly: Opened, room: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file of this process may grow beyond `room` bytes: to a program that is a disk without space."""
    night = quietly(BEFORE)
    before = night.counts()
    with files_no_larger_than(room):
        code = run_command("prices", None, Options(), env_file=night.env_file)

    complaint = capsys.readouterr().err
    assert (code, len(complaint.splitlines())) == (FAILED, 1)
    assert "File too large" in complaint and "run the command again" in complaint
    assert night.counts()["prices_raw"] - before["prices_raw"] in (0, 12)
    assert night.run("prices").code == DONE
    assert night.counts() == {**before, "prices_raw": before["prices_raw"] + 12}


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to extend any file of this process beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
