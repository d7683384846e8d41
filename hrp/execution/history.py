"""Daily bars of Interactive Brokers, at the pace at which it gives them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, time
from functools import partial

import pandas as pd

from hrp.domain.pacing import Pace
from hrp.domain.rebased import Adjustment
from hrp.domain.sessions import EXCHANGE_ZONE
from hrp.errors import BrokerError, UsageError
from hrp.execution import translate
from hrp.execution.account import BrokerConfig, prove_accounts, prove_settings
from hrp.execution.ibapi import RequestError, ib
from hrp.execution.link import Link

_NO_SUCH_INSTRUMENT, _HISTORY = 200, 162
_PACED, _NOTHING = "pacing violation", "no data"
_REQUESTS, _WINDOW_SECONDS = 60, 600.0
_PACED_WAIT_SECONDS, _ATTEMPTS = 60.0, 11  # together longer than the window over which requests are counted
_MOST_DAYS, _DAYS_A_YEAR = 365, 365
_COLUMNS = ("symbol", "session", "open", "high", "low", "close", "volume")


class IBKRHistory:
    """`hrp.ports.PriceSource` over the history of TWS, IB Gateway or the paper gateway.

    One request gives one name's whole range. TWS restates its bars for every split up to now and tells of no action.
    Its setting "Send market data in lots for US stocks" must be off, else volumes are hundreds of shares.
    """

    name = "ibkr"
    adjustment = Adjustment.SPLITS

    def __init__(
        self,
        config: BrokerConfig,
        elapsed: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`config.client_id` must not be the one that trades; `elapsed` is a clock that only moves forward."""
        self._config, self._elapsed, self._pause = config, elapsed, pause
        self._pace = Pace(_REQUESTS, _WINDOW_SECONDS)

    def fetch_symbols(self) -> list[str]:
        """Raises UsageError: there are thousands."""
        raise UsageError("Interactive Brokers has thousands of names, say which ones with --symbols")

    def fetch_bars(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` in today's shares, as the port `PriceSource` says; unknown names have none.

        Raises:
            UsageError: no symbols were named.
            WrongAccountError, BrokerConnectionError, BrokerTimeoutError, BrokerError: as `Link`; or the broker still
                asks for a slower pace after ten minutes of waiting.
        """
        names = self.fetch_symbols() if symbols is None else symbols
        prove_settings(self._config)
        link = Link(self._config)
        try:
            rows = link.run(self._rows(names, first, last, link))
        finally:
            link.close()
        bars = pd.DataFrame(rows, columns=list(_COLUMNS)).assign(source=self.name)
        bars["session"] = pd.to_datetime(bars["session"])
        bars = bars[bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))]
        return bars.sort_values(["session", "symbol"], ignore_index=True)

    def fetch_actions(self, symbols: Sequence[str] | None, first: date, last: date) -> pd.DataFrame:
        """None: the interface does not tell of any."""
        return pd.DataFrame(columns=["symbol", "ex_session", "kind", "value", "source"])

    async def _rows(self, symbols: Sequence[str], first: date, last: date, link: Link) -> list[tuple[object, ...]]:
        prove_accounts(self._config, await link.open())
        rows: list[tuple[object, ...]] = []
        for symbol in symbols:
            bars = await self._bars(symbol, first, last, link)
            rows += [
                (symbol, bar.date, *map(_known, (bar.open, bar.high, bar.low, bar.close, float(bar.volume))))
                for bar in bars
            ]
        link.require_whole()
        return rows

    async def _bars(self, symbol: str, first: date, last: date, link: Link) -> list[ib.BarData]:
        """The answer for one name, asked for again for as long as the broker wants it slower."""
        end = datetime.combine(last, time(23, 59, 59), EXCHANGE_ZONE)
        what = (translate.stock(symbol.replace("-", ".")), end, _duration(first, last), "1 day", "TRADES", True)
        # Without the library's own deadline, which would give an empty list.
        request = partial(link.ib.reqHistoricalDataAsync, *what, timeout=0)
        for attempt in range(1, _ATTEMPTS + 1):
            await self._pause(self._pace.delay(self._elapsed()))
            try:
                return list(await link.ask(f"history of {symbol}", request))
            except BrokerError as error:
                said = error.__cause__
                if not isinstance(said, RequestError):
                    raise
                if said.code == _NO_SUCH_INSTRUMENT or (said.code == _HISTORY and _NOTHING in said.message.lower()):
                    return []
                if said.code != _HISTORY or _PACED not in said.message.lower():
                    raise
            if attempt < _ATTEMPTS:
                await self._pause(_PACED_WAIT_SECONDS)
        raise BrokerError(
            f"{self._config.address} refuses the history of {symbol} as asked for too fast, {_ATTEMPTS} times in ten "
            "minutes; another program may be asking for history too, run the command again later"
        )


def _duration(first: date, last: date) -> str:
    """How far back to ask, in the broker's words: days up to a year of them, else whole years."""
    days = (last - first).days + 1
    return f"{days} D" if days <= _MOST_DAYS else f"{math.ceil(days / _DAYS_A_YEAR)} Y"


def _known(number: float) -> float:
    """`number`, or not a number where the broker has none."""
    return number if number >= 0 else math.nan
