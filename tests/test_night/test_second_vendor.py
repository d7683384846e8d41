"""A second source of prices in a real night: what it does not have is not traded."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from .conftest import BEFORE
from .workspace import D1, DONE, Night


def test_a_close_that_the_second_source_does_not_have_keeps_its_name_out_of_the_night(
    quietly: Callable[[str], Night], bars: pd.DataFrame
) -> None:
    night = quietly(BEFORE)
    second = bars.copy()
    second.loc[(second["symbol"] == "ON") & (second["session"] == D1), "close"] *= 1.05
    second.to_parquet(night.home / "second.parquet", index=False)
    night.source(bars)
    night.set(HRP_SECOND_PRICE_SOURCE=night.home / "second.parquet")
    night.run("prices")

    said = night.run("quality")

    assert (said.code, said.job("quality")["quarantined"]) == (DONE, ["ON"])
    assert ["VENDOR_CLOSE", "ON", "quarantine", "off=-4.8%"] in said.job("quality")["findings"]
    assert night.run("features").job("features")["symbols"] == 11


def test_a_split_that_the_source_tells_of_is_no_jump_of_its_name(
    quietly: Callable[[str], Night], bars: pd.DataFrame
) -> None:
    night = quietly(BEFORE)
    halved = bars.copy()
    halved.loc[(bars["symbol"] == "CCC") & (bars["session"] == D1), ["open", "high", "low", "close"]] /= 2
    night.source(halved)
    night.run("prices")
    assert night.run("quality").job("quality")["quarantined"] == ["CCC"]

    action = {"symbol": ["CCC"], "ex_session": [D1], "kind": ["split"], "value": [2.0]}
    pd.DataFrame(action).to_parquet(night.home / "actions.parquet", index=False)
    night.run("prices")

    assert night.run("quality").job("quality")["quarantined"] == []
