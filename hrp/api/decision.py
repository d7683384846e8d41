"""From stored predictions and the broker's word to the inputs of the one decision function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

from hrp.config import Settings
from hrp.domain.deployment import Strategy
from hrp.domain.drift import DriftReport
from hrp.domain.portfolio import blend, equal_weights
from hrp.ml.signals import predictions_to_signals


@dataclass(frozen=True, slots=True)
class Night:
    """What one strategy brings to the plan of a session. `held_back` is the coded reason against new buys."""

    strategy: Strategy
    model_version: int
    predictions: Mapping[str, float]
    held_back: str = ""


def target_weights(predictions: Mapping[str, float], settings: Settings) -> dict[str, Decimal]:
    """Target fractions of equity: the best names by prediction, held in equal weights within the limits."""
    signals = predictions_to_signals(pd.Series(dict(predictions)), method="rank", top_pct=settings.top_pct)
    longs = [str(symbol) for symbol in signals.index[signals == 1]]
    best = sorted(longs, key=lambda symbol: (-predictions[symbol], symbol))[: settings.max_positions]
    gross = min(settings.max_gross_pct, 1 - settings.min_cash_pct)
    return equal_weights(best, gross, settings.max_position_pct)


def blended(nights: Sequence[Night], settings: Settings) -> dict[str, Decimal]:
    """One account target out of the strategies' own targets."""
    weights = {n.strategy.hypothesis_id: target_weights(n.predictions, settings) for n in nights}
    return blend(weights, {n.strategy.hypothesis_id: n.strategy.allocation for n in nights})


def no_buys(nights: Iterable[Night]) -> dict[str, str]:
    """The names that may only be reduced, each with its coded reason: all that a held-back strategy predicts."""
    return {symbol: night.held_back for night in nights if night.held_back for symbol in night.predictions}


def predictions_of(nights: Iterable[Night]) -> dict[str, float]:
    """One number per name for the record: with several strategies, the one of the last that predicts it."""
    return {symbol: value for night in nights for symbol, value in night.predictions.items()}


def held_back(report: DriftReport | None, frozen: bool, session: date, version: int) -> str:
    """Why a strategy may not buy tonight, as a code, or an empty text.

    New risk needs a verdict for this session and this version that says that all is well.
    """
    if frozen:
        return f"MODEL_FROZEN: version={version}"
    if report is None:
        return f"NO_DRIFT_VERDICT: session={session}, version={version}"
    if not report.allows_new_risk:
        return f"DRIFT_FREEZE: verdict={report.verdict}, session={session}, version={version}"
    return ""
