"""Labels: what a prediction is about, each a declared function of prices after its session (pure).

Every kind is a transformation of what a position earns that is opened after the session and held for `horizon`
sessions, less the mean of the section: a model ranks names, the market moves them all. The transformation is what a
model is fitted on; what the position earns is what it is judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrp.errors import DataError, UsageError
from hrp.ml.features import FIELDS, Panel

SCALE_SESSIONS = 63
PROBES, STILL = 3, 1e-9
PRICES = tuple(field for field in FIELDS if field != "volume")

Target = Callable[[Panel, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Label:
    """A kind of label with its horizon.

    Args:
        kind: its name.
        horizon: sessions that the position is held, at least 1.
        price: the field at which it is opened and closed.
        delay: sessions from the row's own to the one in which it is opened.
        target: panel and what is earned [session × symbol] to what a model is fitted on, the same shape.
        doc: the formula in words. source: who wrote about it.

    Raises:
        DataError: the horizon is below 1.
    """

    kind: str
    horizon: int
    price: str
    delay: int
    target: Target
    doc: str
    source: str

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise DataError(f"the horizon of a label must be at least 1 session, got {self.horizon}")

    @property
    def name(self) -> str:
        """The kind with its horizon, such as `forward_return_5`."""
        return f"{self.kind}_{self.horizon}"

    @property
    def reach(self) -> int:
        """Sessions from the row's own to the last price that the label reads: what a split has to purge."""
        return self.delay + self.horizon

    def earned(self, panel: Panel) -> pd.DataFrame:
        """Return of the position less the mean of its section, index session, columns symbol.

        NaN where either price is missing, so the last `reach` rows are NaN.
        """
        prices = panel.wide(self.price).shift(-self.delay)
        returns = prices.shift(-self.horizon) / prices - 1.0
        return returns.sub(returns.mean(axis="columns"), axis="index")


def _as_earned(_panel: Panel, earned: pd.DataFrame) -> pd.DataFrame:
    return earned


def _ranked(_panel: Panel, earned: pd.DataFrame) -> pd.DataFrame:
    # Midpoints: the mean of every section is 0, whatever its size.
    count = earned.notna().sum(axis="columns")
    return earned.rank(axis="columns").sub((count + 1) / 2, axis="index").div(count.where(count > 0), axis="index")


def _scaled(panel: Panel, earned: pd.DataFrame) -> pd.DataFrame:
    deviation = panel.wide("close").pct_change(fill_method=None).rolling(SCALE_SESSIONS).std()
    return earned / deviation.where(deviation > 0)


# fmt: off
_ONE = 1  # the horizon of a template: `label_named` gives it another
KINDS: Mapping[str, Label] = MappingProxyType({label.kind: label for label in (
    Label("forward_return", _ONE, "close", 0, _as_earned,
          "close `horizon` sessions later over the close of the session, less 1, less the mean of the section",
          "Gu, Kelly and Xiu (2020)"),
    Label("forward_rank", _ONE, "close", 0, _ranked,
          "rank of forward_return among the names of the session, centred, in (-0.5, 0.5), ties averaged",
          "Poh, Lim, Zohren and Roberts (2021)"),
    Label("open_to_open", _ONE, "open", 1, _as_earned,
          "the open `horizon` sessions after the next over the next open, less 1, less the mean of the section: "
          "what an account earns that trades at the open after the prediction",
          "the market-on-open orders of the night"),
    Label("forward_scaled", _ONE, "close", 0, _scaled,
          f"forward_return over the standard deviation of the last {SCALE_SESSIONS} one-session returns, the "
          "session's own included; none before there are so many",
          "Moskowitz, Ooi and Pedersen (2012)"),
)})
# fmt: on


def label_named(kind: str, horizon: int) -> Label:
    """The label of this kind that looks `horizon` sessions ahead.

    Raises:
        UsageError: there is no such kind; the message names those that exist.
        DataError: the horizon is below 1.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no label {kind!r}; there are: {', '.join(KINDS)}")
    return replace(KINDS[kind], horizon=horizon)


def require_honest(label: Label, panel: Panel) -> None:
    """Refuse a label that reads what its declaration hides; tried at `PROBES` sessions of the panel.

    Raises:
        DataError: a value changes if sessions beyond `reach` are unknown, so purging `reach` sessions would leave test
            prices in the training labels; or it is not the same for all names if no price moves after the session, so
            it holds what a prediction of that session already knows.
    """
    whole = _both(label, panel)
    for row in _probes(len(panel.sessions), label.reach):
        known = panel.through(panel.sessions[row + label.reach].date())
        stopped = _both(label, _stopped(known, row))
        for full, cut, still in zip(whole, _both(label, known), stopped, strict=True):
            if not np.array_equal(full[row], cut[row], equal_nan=True):
                raise DataError(
                    f"label {label.name} of {known.sessions[row].date()} reads beyond the {label.reach} sessions that "
                    f"it declares; correct its delay or horizon"
                )
            values = still[row][np.isfinite(still[row])]
            if len(values) and np.ptp(values) > STILL:
                raise DataError(
                    f"label {label.name} of {known.sessions[row].date()} differs between names though no price moves "
                    f"after that session: it reads what its prediction knows; start it later"
                )


def _both(label: Label, panel: Panel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    earned = label.earned(panel)
    return earned.to_numpy(), label.target(panel, earned).to_numpy()


def _probes(sessions: int, reach: int) -> list[int]:
    if sessions <= reach:
        return []
    return [round(part * (sessions - reach - 1) / (PROBES + 1)) for part in range(1, PROBES + 1)]


def _stopped(panel: Panel, row: int) -> Panel:
    """The panel with every price after `row` at the close of `row`."""
    frozen = {}
    for field in PRICES:
        values = getattr(panel, field).copy()
        values[row + 1 :] = panel.close[row]
        frozen[field] = values
    return replace(panel, **frozen)
