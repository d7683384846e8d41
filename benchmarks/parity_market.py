"""The prices of the parity year: raw bars of real names with what really happened to them.

With the folder of real market data beside the repository: every name of which raw (unadjusted) bars are there, with its
splits and dividends, and the most traded other members of the S&P 500, whose bars are adjusted for splits and so trade
without one, with their dividends in the same shares. Without the folder: the embedded names, whose adjusted closes are
taken for raw ones, with splits and dividends made by a fixed rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from hrp.data.sources import SkfolioSource
from hrp.domain.sessions import sessions_between

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
RAW_FROM = {  # before it, the ticker was another company's, or another class of shares
    "AAPL": None, "AIG": None, "BAC": None, "BNO": date(2010, 6, 2), "EEM": None, "FB": date(2012, 5, 18),
    "GOOG": date(2014, 4, 3), "IBM": None, "IWM": None, "QQQ": None, "SPY": None, "USO": date(2006, 4, 10), "WM": None,
}  # fmt: skip
NO_DIVIDEND_ABOVE = 0.05  # of the close before: what is above is a spin-off, which is not paid in cash
PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Market:
    """Raw bars and actions, as a folder of files holds them; the first bar and the first night."""

    bars: pd.DataFrame
    actions: pd.DataFrame
    first_night: date

    @property
    def names(self) -> int:
        return int(self.bars["symbol"].nunique())


def real_market(names: int) -> Market:
    """A year in which AAPL split 7 for 1 and GOOG 1.0027 for 1; the S&P names begin in the spring of 2013."""
    first, night, last = date(2011, 1, 3), date(2014, 5, 27), date(2015, 6, 1)
    raw = pd.read_parquet(REAL / "prices_raw_lean.parquet")
    starts = raw["symbol"].map({symbol: start or first for symbol, start in RAW_FROM.items()})
    raw = raw[raw["symbol"].isin(RAW_FROM) & (raw["date"] >= starts)]
    others = pd.read_parquet(REAL / "prices_sp500_5y.parquet").assign(
        date=lambda bars: pd.to_datetime(bars["date"]).dt.date
    )
    others = others[~others["symbol"].isin({*RAW_FROM, "GOOGL"})]
    early = others[others["date"] < night]
    traded = (early["close"] * early["volume"]).groupby(early["symbol"]).median()
    chosen = traded.nlargest(names - len(RAW_FROM)).index
    bars = pd.concat([raw, others[others["symbol"].isin(chosen)]]).rename(columns={"date": "session"})
    bars = bars[(bars["session"] >= first) & (bars["session"] <= last)].drop_duplicates(["symbol", "session"])
    actions = _real_actions(set(chosen))
    days = set(sessions_between(first, last))
    actions = actions[actions["ex_session"].isin(days)]
    return Market(bars.reset_index(drop=True), actions.reset_index(drop=True), night)


def _real_actions(chosen: set[str]) -> pd.DataFrame:
    known = pd.read_parquet(REAL / "splits_dividends.parquet")
    known = known[known["symbol"].isin(RAW_FROM)]
    inferred = pd.read_parquet(REAL / "dividends_inferred.parquet")
    ordinary = inferred["cash_amount"] < NO_DIVIDEND_ABOVE * inferred["prev_close"]
    inferred = inferred[ordinary & inferred["symbol"].isin(chosen)].assign(kind="dividend")
    both = pd.concat([known, inferred])
    value = both["split_ratio"].round(4).where(both["kind"] == "split", both["cash_amount"])
    return pd.DataFrame(
        {
            "symbol": both["symbol"],
            "ex_session": pd.to_datetime(both["ex_date"]).dt.date,
            "kind": both["kind"],
            "value": value,
        }
    )


def embedded_market() -> Market:
    """The embedded names through 2022: each pays a dividend a quarter, and each fifth of them splits once."""
    first, night, last = date(2016, 1, 4), date(2021, 12, 29), date(2022, 12, 28)
    source = SkfolioSource()
    bars = source.fetch_bars(None, first, last).drop(columns="source")
    bars = bars.assign(session=bars["session"].dt.date)
    days = sessions_between(night, last)
    rows: list[tuple[str, date, str, float]] = []
    for place, symbol in enumerate(sorted(bars["symbol"].unique())):
        own = bars["symbol"] == symbol
        if place % 5 == 0:
            ex, ratio = days[20 + 10 * place], (2.0, 1.5, 0.4, 1.0027)[place // 5]
            rows.append((symbol, ex, "split", ratio))
            old = own & (bars["session"] < ex)
            bars.loc[old, PRICES] = (bars.loc[old, PRICES] * ratio).round(4)
        closes = bars[own].set_index("session")["close"]
        rows += [(symbol, ex, "dividend", round(0.005 * closes[ex], 4)) for ex in days[5 + place :: 63]]
    return Market(bars, pd.DataFrame(rows, columns=["symbol", "ex_session", "kind", "value"]), night)
