from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hrp.ml.features import ALPHA158, CATALOGUE, Feature, NaNPolicy
from hrp.ml.features.operations import change, lag, mean, section_rank
from hrp.ml.lookahead import Reads, examine, made_panel

FEATURES = (*CATALOGUE.features, *ALPHA158.features)
PANEL = made_panel(120)


def planted(formula, lookback=21, inputs=("close",)) -> Feature:
    return Feature("planted", inputs, lookback, formula, NaNPolicy.WINDOW, "planted", "none")


def tomorrow(close):
    return np.vstack([close[1:], close[-1:]]) / close


def centred(close):
    return pd.DataFrame(close).rolling(3, center=True).mean().to_numpy()


def normalised(close):
    returns = change(close, 1)
    return (returns - np.nanmean(returns, axis=0)) / np.nanstd(returns, axis=0)


def filled_from_behind(close):
    return pd.DataFrame(close).bfill().to_numpy()


def next_month_is_known(close):
    return np.where(np.arange(len(close))[:, None] < len(close) - 21, close, 0.0)


def tomorrow_among_names(close):
    return section_rank(tomorrow(close))


def exponential(close):
    return pd.DataFrame(close).ewm(span=5, ignore_na=True).mean().to_numpy()


def running_sum(close):
    return pd.DataFrame(close).rolling(20).std().to_numpy()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_no_feature_reads_the_future_or_beyond_its_look_back(feature):
    verdict = examine(feature, made_panel(feature.lookback_sessions + 25, symbols=8))

    assert verdict.honest, str(verdict)


@pytest.mark.parametrize(
    "formula",
    [tomorrow, centred, normalised, filled_from_behind, next_month_is_known, tomorrow_among_names],
    ids=lambda formula: formula.__name__,
)
def test_a_feature_that_reads_the_future_is_caught(formula):
    assert examine(planted(formula), PANEL).reads is Reads.FUTURE


@pytest.mark.parametrize(
    "formula",
    [
        lambda close: lag(close, 21),
        lambda close: mean(close, 22),
        exponential,
        running_sum,
        lambda c: np.nancumsum(c, 0),
    ],
    ids=["one session more", "one session more in a window", "exponential", "running sum", "sum from the start"],
)
def test_a_feature_that_reads_beyond_its_look_back_is_caught(formula):
    assert examine(planted(formula), PANEL).reads is Reads.MORE_PAST


def test_the_verdict_names_the_first_value_that_changed_and_both_values():
    verdict = examine(planted(tomorrow), PANEL)

    assert (verdict.session, verdict.symbol) == (PANEL.sessions[20].date(), "MADE0000")
    close = PANEL.wide("close").loc[:, verdict.symbol].to_numpy()
    assert verdict.before == close[21] / close[20] != verdict.after
    assert str(verdict) == (
        f"planted reads the future: MADE0000 in {verdict.session} was {verdict.before} and is {verdict.after} "
        f"when the bars after {verdict.session} were others"
    )


def test_an_honest_feature_is_told_with_the_number_of_values_that_were_compared():
    verdict = examine(planted(lambda close: lag(close, 20)), PANEL)

    assert verdict.honest and verdict.compared > 1000 and verdict.session is None
    assert str(verdict) == f"planted reads its look-back and nothing else ({verdict.compared} values compared)"


@pytest.mark.parametrize("sessions", [10, 21])
def test_a_panel_that_is_too_short_shows_nothing(sessions):
    verdict = examine(planted(lambda close: lag(close, 20)), PANEL.tail(sessions))

    assert verdict.reads is Reads.NOTHING and not verdict.honest
