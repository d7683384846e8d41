"""The account, what it holds and did, the strategies that trade, and the two jobs that a person may want now."""

from __future__ import annotations

from datetime import date

import streamlit as st

from hrp.agents.drift_monitor_job import DriftMonitorJob
from hrp.agents.position_sync_job import PositionSyncJob
from hrp.dashboard import views
from hrp.dashboard.actions import run_job
from hrp.dashboard.layout import draw, show
from hrp.dashboard.reading import AccountBook, TradingFacts, read_trading
from hrp.data.looks import Row
from hrp.domain.drift import DriftVerdict
from hrp.wiring import App, build


def page() -> None:
    """Draw the page. A button's job runs first, so that what is drawn is what it left behind."""
    app = build()
    st.title("Trading")
    about, actions = st.container(), st.container()
    with actions:
        _act(app)
    facts = read_trading(app.settings)
    with about:
        book = _chosen_book(app, facts)
    if book:
        _holdings(book)
    _trades(facts)
    _strategies(facts, book.positions if book else [])
    _checks(facts, book)


def _act(app: App) -> None:
    sync, check, _ = st.columns([1, 1, 4])
    if sync.button("Sync positions", key="sync", width="stretch", help="Fetch fills, positions and cash now."):
        _run(app, PositionSyncJob.name, None)
    if check.button("Run drift check", key="drift", width="stretch", help="Judge the newest predictions again."):
        # A check only: whatever the settings allow the night, a look at the page moves no model.
        _run(app, DriftMonitorJob.name, read_trading(app.settings).predicted_session, "--no-auto-rollback")


def _run(app: App, job: str, session: date | None, *options: str) -> None:
    with st.spinner(f"{job} is running ..."):
        outcome = run_job(job, app.env_file, session, *options)
    tell = st.success if outcome.done else st.error if outcome.raised else st.warning
    tell(views.unformatted(outcome.text))


def _chosen_book(app: App, facts: TradingFacts) -> AccountBook | None:
    """The account's figures; with several accounts the configured one is offered first."""
    accounts = sorted(facts.books, key=lambda name: name != app.settings.ibkr_account)
    if not accounts:
        st.info("No account was synced yet; press Sync positions, or run: hrp run position\\-sync")
        return None
    account = accounts[0] if len(accounts) == 1 else st.selectbox("Account", accounts, key="account")
    book = facts.books[account]
    now = book.equity[-1]
    st.caption(f"Account {account}, as the broker stated it at {now.synced_at:%Y-%m-%d %H:%M}Z, session {now.session}")
    figures = {
        "Portfolio value, USD": (views.money(now.net_liquidation_usd), views.change_since(book.equity)),
        "Unrealized P&L, USD": (views.money(views.unrealized(now, book.positions)), None),
        "Open positions": (str(len(book.positions)), None),
        "Cash, USD": (views.money(now.cash_usd), None),
    }
    for place, (label, (value, change)) in zip(st.columns(len(figures)), figures.items(), strict=True):
        place.metric(label, value, change, border=True, height="stretch")
    return book


def _holdings(book: AccountBook) -> None:
    st.subheader("Equity against backtest")
    st.plotly_chart(views.equity_figure(book.equity, book.tracking), width="stretch", config={"displayModeBar": False})
    if book.tracking.empty:
        st.caption("No backtest of these nights is stored.")
    st.subheader("Positions")
    show(views.positions_table(book.positions, book.equity[-1]), "No positions: the account is flat.")


def _trades(facts: TradingFacts) -> None:
    trades, orders = st.tabs(["Recent trades", "Orders of the last night"])
    with trades:
        show(views.trades_table(facts.trades), "No trades yet.")
    with orders:
        if facts.orders:
            st.caption(f"Decided after {facts.orders[0]['session']} for {facts.orders[0]['for_session']}")
        show(views.table(facts.orders, views.ORDERS), "No orders yet; see what a night would do: hrp run nightly")


def _strategies(facts: TradingFacts, positions: list[Row]) -> None:
    st.subheader("Deployed strategies")
    if not facts.strategies:
        st.caption("None; train a model: hrp train, then: hrp models promote")
    for row in facts.strategies:
        with st.container(border=True):
            _strategy(row)
            with st.expander(f"Predictions of {row['predicted_session'] or 'no session yet'}"):
                predictions = views.predictions_table(facts.predictions[row["hypothesis_id"]], positions)
                show(predictions, "None; run: hrp run predictions")
            alarms = [alarm for alarm in facts.alarms if alarm["hypothesis_id"] == row["hypothesis_id"]]
            if alarms:
                show(views.table(alarms, views.ALARMS), "")


def _strategy(row: Row) -> None:
    st.markdown(f"**{views.unformatted(row['hypothesis_id'])}** {views.unformatted(row['title'])}")
    model, deployed, predicted, drift = st.columns(4)
    version = f" v{row['champion']}" if row["champion"] is not None else ", no champion"
    _fact(model, "Model", f"{row['model_name']}{version}")
    _fact(deployed, "Deployed at", f"{row['deployed_at']:%Y-%m-%d %H:%M}Z" if row["deployed_at"] else "never")
    latest = f"{row['predictions']} names, session {row['predicted_session']}" if row["predictions"] else "none"
    _fact(predicted, "Latest predictions", latest)
    drift.caption("Drift status")
    match row["drift_verdict"]:
        case None:
            drift.badge("not checked", color="grey")
        case DriftVerdict.OK:
            drift.badge(f"ok, session {row['drift_session']}", color="green")
        case DriftVerdict.DRIFT:
            drift.badge(f"drift, session {row['drift_session']}", color="red")
        case _:
            drift.badge(f"could not check, session {row['drift_session']}", color="orange")


def _fact(place: st.delta_generator.DeltaGenerator, label: str, value: str) -> None:
    place.caption(label)
    place.markdown(views.unformatted(value))


def _checks(facts: TradingFacts, book: AccountBook | None) -> None:
    if book:
        st.subheader("Breaks")
        show(views.breaks_table(book.breaks), "None: ledger and broker agree.")
        if book.locks:
            st.error("Locked until a person resolves it: hrp breaks resolve SUBJECT \\-\\-reason TEXT")
            show(views.locks_table(book.locks), "")
    st.subheader("Last run of each job")
    show(views.table(facts.runs, views.RUNS), "No job has run yet; run: hrp run nightly")


if __name__ == "__main__":
    draw(page)
