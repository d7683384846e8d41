"""One page that says what a version is worth: a file that needs nothing else (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from hrp.domain.overfitting import TRIALS, deflated_again
from hrp.domain.sessions import SESSIONS_A_YEAR
from hrp.research import charts
from hrp.research.backtest import BacktestResult
from hrp.research.frictions import SLIPPAGE, annual_return, equity_at

COST_MULTIPLES = (0.0, 1.0, 2.0, 5.0)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STRONG_MONTH = 0.08  # a return that is coloured fully
LEAST_OBSERVATIONS = 2
STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 1.5rem auto; padding: 0 1rem; color: #1f2933; }
h1 { margin: 0; font-size: 1.6rem; } .lead { color: #52606d; margin: .2rem 0 1rem; }
h2 { margin: 1.6rem 0 .4rem; font-size: 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: .6rem; }
.tile { border: 1px solid #e4e7eb; border-radius: 6px; padding: .5rem .7rem; }
.tile b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; } .tile span { color: #7b8794; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 0 2rem; }
.pair > div { min-width: 0; } svg { width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
td, th { text-align: left; padding: .16rem .7rem .16rem 0; vertical-align: top; overflow-wrap: anywhere; }
th { border-bottom: 2px solid #cbd2d9; font-weight: 600; overflow-wrap: normal; }
td { border-bottom: 1px solid #e4e7eb; }
.number { text-align: right; white-space: nowrap; }
.month { text-align: center; white-space: nowrap; padding: .16rem .2rem; }
td:first-child, td.refused, td.passed { overflow-wrap: normal; }
@media (min-width: 700px) { td:first-child { white-space: nowrap; } }
.refused { color: #b91c1c; font-weight: 600; } .passed { color: #15803d; }
.names { columns: 200px; } .names span { display: block; } p.note { color: #7b8794; margin: .2rem 0; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } h2 { break-after: avoid; } }
"""


@dataclass(frozen=True, slots=True, eq=False)
class TearSheet:
    """Everything on the page.

    Args:
        name: of the version. lead: one sentence under it.
        metrics: the walk-forward record. held_out: the same of the last look at held-out sessions, if there was one.
        trials: how many count. params: of the run. features: their names in order.
        daily_ic: rank correlation by session, out of sample. horizon: sessions that a prediction looks ahead.
        result: the backtest of the same predictions; None if `missing` says why there is none.
        benchmark: USD, index session: the same cash in all names.
        checks: what the gate said, as in the ledger. hypothesis: what is known of the one behind it, by name.
    """

    name: str
    lead: str
    metrics: Mapping[str, float]
    trials: float
    params: Mapping[str, str]
    features: Sequence[str]
    daily_ic: pd.Series[float]
    horizon: int
    result: BacktestResult | None = None
    missing: str = ""
    benchmark: pd.Series[float] | None = None
    checks: Sequence[Mapping[str, object]] = ()
    hypothesis: Mapping[str, str] = field(default_factory=dict)
    held_out: Mapping[str, float] = field(default_factory=dict)


def render(sheet: TearSheet) -> str:
    """The page as HTML with its pictures inside; equal input, equal text."""
    parts = [f"<h1>{escape(sheet.name)}</h1><p class='lead'>{escape(sheet.lead)}</p>"]
    if sheet.result is None:
        parts += [_tiles(_skill(sheet)), f"<p class='note'>No backtest: {escape(sheet.missing)}</p>", _rank_ic(sheet)]
    else:
        parts += _backtest(sheet, sheet.result)
    parts.append(_pair(_section("Record out of sample", _figures(sheet)), _run(sheet)))
    if sheet.checks:
        parts.append(_section("The gate", _gate(sheet.checks)))
    names = "".join(f"<span>{escape(name)}</span>" for name in sheet.features)
    parts.append(_section(f"{len(sheet.features)} features", f"<div class='names'>{names}</div>"))
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(sheet.name)}</title><style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def _backtest(sheet: TearSheet, result: BacktestResult) -> list[str]:
    curves = {multiple: equity_at(result, multiple) for multiple in COST_MULTIPLES}
    equity, months = curves[1.0], f"<div class='wide'>{_months(curves[1.0])}</div>"
    note = f"All figures are after commissions and {SLIPPAGE * 1e4:g} basis points of the value of every trade."
    return [
        _tiles([*_account(equity, result), *_skill(sheet)]),
        _section("Equity", charts.equity_chart(equity, sheet.benchmark) + f"<p class='note'>{note}</p>"),
        _pair(_section("Below the peak", charts.drawdown_chart(equity)),
              _section(f"Sharpe ratio of the last {charts.ROLLING} sessions", charts.sharpe_chart(equity))),
        _section("Return by month, %", months),
        _pair(_rank_ic(sheet), _section("Turnover a month", charts.turnover_chart(monthly_turnover(result)))),
        _pair(_section("Equity at 0, 1, 2 and 5 times the cost", charts.cost_chart(curves)),
              _section("What is left after costs", _costs(curves))),
    ]  # fmt: skip


def monthly_turnover(result: BacktestResult) -> pd.Series[float]:
    """Half of the value traded in each month over the mean equity of it, index the month's middle."""
    filled = result.orders[result.orders["status"] == "filled"]
    value = (filled["quantity"] * filled["price"]).groupby(filled["for_session"]).sum()
    traded = value.reindex(result.equity.index, fill_value=0.0).groupby(pd.Grouper(freq="MS")).sum()
    held = result.equity.groupby(pd.Grouper(freq="MS")).mean()
    turnover: pd.Series[float] = (traded / 2 / held).rename("turnover")
    return turnover.set_axis(pd.DatetimeIndex(turnover.index) + pd.Timedelta(14, "D"))


def monthly_returns(equity: pd.Series[float]) -> pd.DataFrame:
    """Return of each month, index year, columns month 1 to 12, and `year`; NaN where there is no session."""
    ends = equity.groupby(pd.Grouper(freq="ME")).last()
    returns = ends / ends.shift(1, fill_value=equity.iloc[0]) - 1
    months = pd.DatetimeIndex(returns.index)
    table = pd.DataFrame({"year": months.year, "month": months.month, "value": returns.to_numpy()})
    wide = table.pivot(index="year", columns="month", values="value").reindex(columns=range(1, 13))
    wide["year"] = (1 + wide).prod(axis=1, skipna=True) - 1
    return wide


def sharpe(equity: pd.Series[float]) -> float:
    """Annual Sharpe ratio of session returns, risk-free 0; NaN if they do not vary."""
    returns = equity.pct_change().dropna()
    if len(returns) < LEAST_OBSERVATIONS or not returns.std() > 0:
        return float("nan")
    return float(returns.mean() / returns.std() * np.sqrt(SESSIONS_A_YEAR))


def _account(equity: pd.Series[float], result: BacktestResult) -> list[tuple[str, str]]:
    return [
        ("return a year, net", f"{annual_return(equity):+.1%}"),
        ("Sharpe ratio", f"{sharpe(equity):.2f}"),
        ("deepest drawdown", f"{(equity / equity.cummax() - 1).min():.1%}"),
        ("turnover a year", f"{result.stats['turnover_a_year']:.1f}x"),
    ]


def _skill(sheet: TearSheet) -> list[tuple[str, str]]:
    further = int(sheet.trials - sheet.metrics.get(TRIALS, 1.0))
    return [
        ("mean rank IC", _number(sheet.metrics.get("mean_rank_ic"))),
        ("deflated Sharpe", _number(deflated_again(sheet.metrics, further))),
        ("trials", _number(sheet.trials)),
    ]


def _tiles(tiles: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<div class='tile'><b>{escape(value)}</b><span>{name}</span></div>" for name, value in tiles)
    return f"<div class='tiles'>{cells}</div>"


def _rank_ic(sheet: TearSheet) -> str:
    title = "Rank IC by quarter and over all, with 95 % intervals"
    if len(sheet.daily_ic) < LEAST_OBSERVATIONS:
        return _section(title, "<p class='note'>The store does not know what followed the predictions.</p>")
    return _section(title, charts.ic_chart(sheet.daily_ic, sheet.horizon))


def _run(sheet: TearSheet) -> str:
    told = {**sheet.hypothesis, **sheet.params}
    return _section("Hypothesis and run", _table(("what", "value"), list(told.items())))


def _costs(curves: Mapping[float, pd.Series[float]]) -> str:
    rows = [
        (f"{multiple:g}x", f"{annual_return(equity):+.2%}", f"{sharpe(equity):.2f}", f"{equity.iloc[-1]:,.0f}")
        for multiple, equity in curves.items()
    ]
    return _table(("cost", "return a year", "Sharpe ratio", "last equity USD"), rows)


def _months(equity: pd.Series[float]) -> str:
    table = monthly_returns(equity)
    head = "".join(f"<th class='month'>{name}</th>" for name in (*MONTHS, "Year"))
    rows = "".join(
        f"<tr><td>{year}</td>{''.join(_month(float(value)) for value in row)}</tr>"
        for year, row in zip(table.index, table.to_numpy(), strict=True)
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _month(value: float) -> str:
    if not np.isfinite(value):
        return "<td class='month'></td>"
    strength = min(abs(value) / STRONG_MONTH, 1.0) * 0.45
    color = f"rgba({'21,128,61' if value >= 0 else '220,38,38'},{strength:.2f})"
    return f"<td class='month' style='background:{color}'>{value * 100:.1f}</td>"


def _gate(checks: Sequence[Mapping[str, object]]) -> str:
    rows = [
        (str(check["check"]), _cell(check["figure"]), str(check["bar"]), str(check["verdict"])) for check in checks
    ]  # fmt: skip
    return _table(("question", "figure", "bar", "verdict"), rows)


def _figures(sheet: TearSheet) -> str:
    metrics, seen = sheet.metrics, sheet.held_out
    if not seen:
        return _table(("metric", "walk-forward"), [(name, _number(value)) for name, value in metrics.items()])
    rows = [(name, _number(value), _number(seen.get(name))) for name, value in metrics.items()]
    return _table(("metric", "walk-forward", "held out"), rows)


def _cell(value: object) -> str:
    return _number(value) if isinstance(value, int | float) else str(value or "")


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its first column is text, the others stand to the right if they begin as numbers do."""
    numeric = [place > 0 and all(row[place][:1] in "+-0123456789" for row in rows) for place in range(len(columns))]
    head = "".join(_td("th", text, right) for text, right in zip(columns, numeric, strict=True))
    body = "".join(
        f"<tr>{''.join(_td('td', text, right) for text, right in zip(row, numeric, strict=True))}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _td(tag: str, text: str, right: bool) -> str:
    kind = "number" if right else text if text in ("refused", "passed") else ""
    return f"<{tag}{f' class={kind}' if kind else ''}>{escape(text)}</{tag}>"


def _section(title: str, content: str) -> str:
    return f"<div><h2>{escape(title)}</h2>{content}</div>"


def _pair(*sections: str) -> str:
    return f"<div class='pair'>{''.join(sections)}</div>"
