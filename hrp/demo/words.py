"""What the demo says at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hrp.demo.play import Outcome, Playbill
from hrp.demo.stage import Stage
from hrp.domain.orders import OrderSide, OrderStatus


def summary(console: Console, stage: Stage, bill: Playbill, outcome: Outcome) -> None:
    """Tables: what the account did beside backtest and index, what was ordered, how long the jobs took."""
    console.print()
    console.print(_table("figure", "value", rows=figures(stage, bill, outcome)))
    console.print()
    console.print(_table("job", "runs", "seconds a run", rows=seconds_by_job(bill)))


def figures(stage: Stage, bill: Playbill, outcome: Outcome) -> list[tuple[str, str]]:
    """What the demo shows, in words and numbers."""
    first, last = outcome.equity[0], outcome.equity[-1]
    backtest, index = outcome.nights_backtest.equity, outcome.index
    start, end = str(first.session), str(last.session)
    fills = {side: sum(fill.side is side for fill in outcome.fills) for side in OrderSide}
    metrics = bill.version.metrics
    return [
        ("nights", f"{len(stage.nights)}, {stage.nights[0]} to {stage.nights[-1]}"),
        ("model", f"{bill.version.label}, mean rank IC {metrics['mean_rank_ic']:.4f} out of sample"),
        ("paper equity", f"{first.net_liquidation_usd:,} to {last.net_liquidation_usd:,} USD"),
        ("backtest equity", f"{backtest[start]:,.2f} to {backtest[end]:,.2f} USD"),
        ("index", f"{index[end] / index[start] - 1:+.2%}, the account {_change(outcome):+.2%}"),
        ("cash", f"{last.cash_usd:,} USD in the ledger and in the gateway"),
        ("positions", ", ".join(f"{p.quantity:.0f} {p.symbol}" for p in outcome.positions) or "none"),
        ("orders", f"{sum(order.status is OrderStatus.FILLED for order in outcome.orders)} filled"),
        ("fills", f"{fills[OrderSide.BUY]} bought, {fills[OrderSide.SELL]} sold"),
        ("denials", str(len(denials(outcome)))),
        ("breaks", str(len(outcome.breaks))),
        ("drift", drift_words(bill)),
        ("same night again", f"{bill.rerun_sends} orders sent"),
        ("dry run and real run", "same plan" if bill.dry_run_hash == bill.real_hash else "DIFFERENT PLANS"),
        ("largest difference to backtest", f"{outcome.parity_cents} cents"),
    ]


def denials(outcome: Outcome) -> list[tuple[str, str, str]]:
    """(session, order, reason) of everything that a rule refused."""
    return [
        (str(order.session), f"{order.side} {order.quantity} {order.symbol}", order.denial or "")
        for order in outcome.orders
        if order.status is OrderStatus.DENIED
    ]


def drift_words(bill: Playbill) -> str:
    """The drift verdicts, counted."""
    counts: dict[str, int] = defaultdict(int)
    for run in bill.runs:
        if run.job == "drift-monitor":
            counts[run.result.status] += 1
    return ", ".join(f"{count} nights {status}" for status, count in sorted(counts.items()))


def seconds_by_job(bill: Playbill) -> list[tuple[str, str, str]]:
    """(job, number of runs, mean seconds) in the order of the night."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for run in bill.runs:
        seconds[run.job].append(run.seconds)
    return [(job, str(len(times)), f"{sum(times) / len(times):.2f}") for job, times in seconds.items()]


def next_steps(stage: Stage, page: Path) -> str:
    """Where the report is, and what to try next."""
    env = stage.app.settings.home / ".env"
    return "\n".join(
        [
            f"report     {page}",
            f"next, from the folder of the project (first: export HRP_ENV_FILE={env}):",
            "  status       .venv/bin/hrp status",
            "  gateway      .venv/bin/hrp gateway start",
            "  next night   .venv/bin/hrp run nightly --no-trading-dry-run",
            "  dashboard    .venv/bin/hrp dashboard",
            "  notebook     notebooks/trading.ipynb, in the editor of your choice, with the kernel of .venv",
            "  a real paper account: docs/ibkr-setup.md, then set IBKR_HOST, IBKR_PORT, IBKR_CLIENT_ID, IBKR_ACCOUNT",
        ]
    )


def closing_line(stage: Stage, bill: Playbill, outcome: Outcome) -> str:
    """The figures that a script looks for."""
    return (
        f"demo: nights={len(stage.nights)} fills={len(outcome.fills)} denials={len(denials(outcome))} "
        f"breaks={len(outcome.breaks)} rerun_sends={bill.rerun_sends} parity_cents={outcome.parity_cents}"
    )


def _change(outcome: Outcome) -> float:
    return float(outcome.equity[-1].net_liquidation_usd / outcome.equity[0].net_liquidation_usd - 1)


def _table(*columns: str, rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    return table
