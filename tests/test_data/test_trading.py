"""Plans, orders, fills, positions and money: written once, in one go, and never silently changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest

from hrp.data import migrations, trading
from hrp.data import orders as store_orders
from hrp.data.ledger import StoreLedger
from hrp.data.trading import Equity
from hrp.domain.breaks import COMMISSION
from hrp.domain.lineage import digest
from hrp.domain.orders import LIVE, Order, OrderSide, OrderStatus, OrderType, order_ref
from hrp.domain.plan import Clip, Plan, PlanLine
from hrp.domain.positions import Break, Fill, Position
from hrp.errors import DataError, OrderError

from .night import ACCOUNT, LATER, NEXT, NIGHT, SESSION, D

S = OrderStatus


def order(symbol: str, side: OrderSide, quantity: int, **changes: object) -> Order:
    ref = order_ref(SESSION, ACCOUNT, "HYP-2026-001", symbol, side)
    given = {"session": SESSION, "for_session": NEXT, "account": ACCOUNT, "strategy": "HYP-2026-001", "order_ref": ref}
    return Order(symbol, side, quantity, **{**given, **changes})


BUY = order("AAPL", OrderSide.BUY, 66, order_type=OrderType.LIMIT, limit_price=D("131.25"))
SALE = order("TRUE", OrderSide.SELL, 10)
DENIED = order("MSFT", OrderSide.BUY, 5).denied("NO_PRICE: symbol=MSFT")


def line(planned: Order | None, symbol: str = "KO", *clips: Clip) -> PlanLine:
    weight, price, target = D("0.0990"), D("130.123456"), planned.quantity if planned else 0
    symbol = planned.symbol if planned else symbol
    return PlanLine(symbol, 0.05, weight, price, 99, clips, target, D(0), D(0), planned)


def plan(*lines: PlanLine, equity: str = "100000.12") -> Plan:
    return Plan(SESSION, NEXT, ACCOUNT, D(equity), D("5000"), {"HYP-2026-001": 3}, {"max_gross_pct": "1"}, lines)


PLAN = plan(line(BUY, "AAPL", Clip("MAX_POSITION", 99, 66, "limit=0.05")), line(SALE), line(DENIED), line(None))


@pytest.fixture
def ledger(store) -> StoreLedger:
    with store.write() as con:
        store_orders.save_plan(con, PLAN, "r1", NIGHT)
    return StoreLedger(store, lambda: LATER)


def orders(ledger: StoreLedger, **conditions) -> list[Order]:
    with ledger.store.read() as con:
        return store_orders.load_orders(con, **conditions)


def life(ledger: StoreLedger, ref: str) -> list[tuple[object, ...]]:
    sql = "SELECT seq, from_status, to_status, evidence FROM order_events WHERE order_ref = ? ORDER BY seq"
    with ledger.store.read() as con:
        return con.execute(sql, [ref]).fetchall()


def test_a_plan_is_written_in_one_go_with_its_orders_sales_first(ledger):
    stored = [replace(o, plan_hash=PLAN.plan_hash) for o in (SALE, BUY)]
    assert orders(ledger, session=SESSION, account=ACCOUNT, statuses=[S.PLANNED]) == stored
    assert orders(ledger, statuses=[S.DENIED]) == [replace(DENIED, plan_hash=PLAN.plan_hash)]
    assert orders(ledger, statuses=LIVE) == orders(ledger, session=NEXT) == []
    assert life(ledger, BUY.order_ref) == [(1, None, "planned", "planned")]
    assert life(ledger, DENIED.order_ref) == [(1, None, "denied", "NO_PRICE: symbol=MSFT")]
    with ledger.store.read() as con:
        assert con.execute("SELECT symbol, target, order_ref IS NULL FROM plan_lines ORDER BY ALL").fetchall() == [
            ("AAPL", 66, False),
            ("KO", 0, True),
            ("MSFT", 5, False),
            ("TRUE", 10, False),
        ]
        assert con.execute("SELECT symbol, limit_code, shares_before, shares_after FROM plan_clips").fetchall() == [
            ("AAPL", "MAX_POSITION", 99, 66)
        ]


def test_the_same_plan_again_changes_nothing_and_another_one_is_refused(ledger):
    with ledger.store.write() as con:
        assert store_orders.save_plan(con, PLAN, "r2", LATER) is False
    with pytest.raises(DataError, match=f"has plan {PLAN.plan_hash[:12]} already"), ledger.store.write() as con:
        store_orders.save_plan(con, plan(equity="99999"), "r3", LATER)
    with ledger.store.read() as con:
        assert store_orders.load_plan_hash(con, SESSION, ACCOUNT) == PLAN.plan_hash
        assert store_orders.load_plan_hash(con, NEXT, ACCOUNT) is None
        assert con.execute("SELECT DISTINCT run_id FROM plans").fetchall() == [("r1",)]
    assert len(orders(ledger)) == 3


def test_the_stored_record_has_the_hash_of_the_plan_and_a_changed_one_is_refused(ledger):
    with ledger.store.write() as con:
        record = store_orders.load_plan_record(con, SESSION, ACCOUNT)
        assert digest(record) == PLAN.plan_hash
        con.execute("UPDATE plans SET record = replace(record, '100000.12', '900000.12')")
        with pytest.raises(DataError, match="changed after it was stored"):
            store_orders.load_plan_record(con, SESSION, ACCOUNT)


def test_an_order_goes_through_its_life_and_every_step_is_kept(ledger):
    ref = BUY.order_ref
    ledger.record_status(ref, S.SENDING, "before the socket", broker_order_id=7)
    ledger.record_status(ref, S.UNKNOWN, "no answer in 10 s")
    ledger.record_status(ref, S.ACKED, "open order", perm_id=99)
    ledger.record_status(ref, S.ACKED, "open order, seen again", perm_id=99)
    ledger.record_status(ref, S.FILLED, "execution")
    assert life(ledger, ref)[1:] == [
        (2, "planned", "sending", "before the socket"),
        (3, "sending", "unknown", "no answer in 10 s"),
        (4, "unknown", "acked", "open order"),
        (5, "acked", "filled", "execution"),
    ]
    (filled,) = orders(ledger, statuses=[S.FILLED])
    assert (filled.broker_order_id, filled.perm_id) == (7, 99)


def test_a_repeated_status_that_brings_a_new_id_keeps_the_id(ledger):
    ledger.record_status(SALE.order_ref, S.SENDING, "first try", broker_order_id=7)
    ledger.record_status(SALE.order_ref, S.SENDING, "second try", broker_order_id=8)
    assert orders(ledger, statuses=[S.SENDING])[0].broker_order_id == 8
    assert life(ledger, SALE.order_ref)[-1] == (3, "sending", "sending", "second try")


def test_every_attempt_keeps_its_ids_and_the_order_counts_them(ledger):
    ref = BUY.order_ref
    for order_id in (7, 8):
        ledger.record_status(ref, S.SENDING, "sent", broker_order_id=order_id, client_id=3, sending_at=LATER)
        ledger.record_status(ref, S.UNKNOWN, "no word")
        ledger.record_status(ref, S.LOST, "in no list")
    (lost,) = orders(ledger, statuses=[S.LOST])
    assert (lost.attempt, lost.lost, lost.client_id, lost.sending_at, lost.broker_order_id) == (2, 2, 3, LATER, 8)
    sql = "SELECT attempt, broker_order_id FROM order_events WHERE order_ref = ? ORDER BY seq"
    with ledger.store.read() as con:
        assert con.execute(sql, [ref]).fetchall() == [(0, None), *[(1, 7)] * 3, *[(2, 8)] * 3]


def test_a_note_is_kept_without_a_change_of_status(ledger):
    ledger.record_note(BUY.order_ref, "to be cancelled")
    assert life(ledger, BUY.order_ref)[-1] == (2, "planned", "planned", "to be cancelled")
    with pytest.raises(DataError, match="no order hrp-nothing"):
        ledger.record_note("hrp-nothing", "to be cancelled")


def test_in_a_batch_a_step_that_may_wait_is_kept_with_the_next_one_or_at_the_end(ledger):
    with ledger.batch():
        ledger.record_status(SALE.order_ref, S.SENDING, "sent", broker_order_id=7)
        ledger.record_status(SALE.order_ref, S.ACKED, "open order", perm_id=99, later=True)
        ledger.record_status(BUY.order_ref, S.SENDING, "sent", broker_order_id=8)
        ledger.record_status(BUY.order_ref, S.ACKED, "open order", perm_id=98, later=True)
    assert [(o.symbol, o.status, o.perm_id) for o in orders(ledger, statuses=LIVE)] == [
        ("TRUE", S.ACKED, 99), ("AAPL", S.ACKED, 98),
    ]  # fmt: skip
    assert [step[0] for step in life(ledger, BUY.order_ref)] == [1, 2, 3]


def test_a_batch_that_ends_in_an_error_keeps_what_was_known_before(ledger):
    with pytest.raises(DataError, match="no order hrp-nothing"), ledger.batch():
        ledger.record_status(BUY.order_ref, S.SENDING, "sent", broker_order_id=8)
        ledger.record_status(BUY.order_ref, S.ACKED, "open order", perm_id=98, later=True)
        ledger.record_status("hrp-nothing", S.SENDING, "never")
    assert life(ledger, BUY.order_ref)[-1] == (3, "sending", "acked", "open order")


def test_an_illegal_step_or_an_unknown_order_changes_nothing(ledger):
    with pytest.raises(OrderError, match="cannot go from denied to sending"):
        ledger.record_status(DENIED.order_ref, S.SENDING, "never")
    with pytest.raises(DataError, match="no order hrp-nothing"):
        ledger.record_status("hrp-nothing", S.SENDING, "never")
    assert len(life(ledger, DENIED.order_ref)) == 1


def fill(exec_id: str, **changes: object) -> Fill:
    first = Fill(
        exec_id=exec_id,
        order_ref=BUY.order_ref,
        perm_id=99,
        account=ACCOUNT,
        con_id=265598,
        symbol="AAPL",
        side=OrderSide.BUY,
        quantity=D(66),
        price=D("130.5"),
        executed_at=datetime(2022, 12, 28, 14, 30, tzinfo=UTC),
    )
    return replace(first, **changes)


def test_the_same_executions_again_are_not_new(con):
    both = [fill("a.01.01"), fill("a.02.01", symbol="TRUE", side=OrderSide.SELL)]
    assert trading.save_fills(con, both, NIGHT) == 2
    assert trading.save_fills(con, [*both, *both], LATER) == 0
    assert trading.load_fills(con, ACCOUNT) == both
    assert trading.load_fills(con, "DU9") == []


def test_a_correction_supersedes_and_an_older_report_that_comes_late_does_not(con):
    trading.save_fills(con, [fill("a.01.02", price=D("131")), fill("a.01.01")], NIGHT)
    assert [f.price for f in trading.load_fills(con, ACCOUNT)] == [D("131")]
    trading.save_fills(con, [fill("a.01.10", price=D("132"))], LATER)
    trading.save_fills(con, [fill("a.01.09", price=D("7"))], LATER)
    assert [(f.exec_id, f.price) for f in trading.load_fills(con, ACCOUNT)] == [("a.01.10", D("132"))]


def test_a_commission_joins_later_and_is_never_lost(con):
    trading.save_fills(con, [fill("a.01.01")], NIGHT)
    trading.save_fills(con, [fill("a.01.01", commission=D("0"))], NIGHT)
    trading.save_fills(con, [fill("a.01.01"), fill("a.01.02")], LATER)
    assert [f.commission for f in trading.load_fills(con, ACCOUNT)] == [D(0)]
    trading.save_fills(con, [fill("a.01.02", commission=D("1.000123"))], LATER)
    assert [f.commission for f in trading.load_fills(con, ACCOUNT)] == [D("1.000123")]


def test_fills_belong_to_the_day_in_new_york(con):
    evening = fill("a.01.01", executed_at=datetime(2022, 12, 29, 0, 30, tzinfo=UTC))  # 19:30 in New York on the 28th
    trading.save_fills(con, [evening], NIGHT)
    assert trading.load_fills(con, ACCOUNT, first=NEXT, last=NEXT) == [evening]
    assert trading.load_fills(con, ACCOUNT, last=SESSION) == []


def test_executed_trades_join_the_order_and_keep_fills_that_hrp_did_not_order(ledger):
    ledger.record_status(BUY.order_ref, S.SENDING, "sent", broker_order_id=7)
    by_hand = fill("b.01.01", order_ref="", symbol="GE")
    with ledger.store.write() as con:
        trading.save_fills(con, [fill("a.01.01", commission=D(1)), by_hand], LATER)
        con.execute("SELECT * FROM executed_trades ORDER BY trade_id")
        columns = [column[0] for column in con.description]
        hrp, other = (dict(zip(columns, row, strict=True)) for row in con.fetchall())
    assert ", ".join(columns) == (
        "trade_id, order_id, broker_order_id, hypothesis_id, symbol, side, quantity, order_type, limit_price, "
        "filled_price, filled_quantity, commission, status, submitted_at, filled_at, created_at"
    )
    assert (hrp["order_id"], hrp["hypothesis_id"], hrp["broker_order_id"]) == (BUY.order_ref, "HYP-2026-001", 7)
    assert (hrp["quantity"], hrp["filled_quantity"], hrp["filled_price"], hrp["commission"]) == (66, 66, D("130.5"), 1)
    assert (other["symbol"], other["order_id"], other["commission"]) == ("GE", None, None)


AAPL = Position("AAPL", D(66), D("130.5"), D("131"), 265598)
GE = Position("GE", D("-10.5"), D("80"), None, 7516)


def test_a_snapshot_is_replaced_whole_and_an_empty_one_says_flat(con):
    assert trading.last_synced_session(con, ACCOUNT) is None
    trading.save_positions(con, SESSION, ACCOUNT, [AAPL, GE], NIGHT)
    trading.save_positions(con, SESSION, ACCOUNT, [GE], LATER)
    assert trading.load_positions(con, ACCOUNT) == [GE]
    trading.save_positions(con, NEXT, ACCOUNT, [], LATER)
    assert trading.load_positions(con, ACCOUNT) == []
    assert trading.load_positions(con, ACCOUNT, SESSION) == [GE]
    assert trading.last_synced_session(con, ACCOUNT) == NEXT
    assert trading.last_synced_session(con, ACCOUNT, before=NEXT) == SESSION
    assert con.execute("SELECT * FROM live_positions").fetchall() == []


def test_live_positions_are_the_newest_snapshot_valued_without_overflow(ledger):
    big = Position("BRK A", D("1000000"), D("500000"), D("543210.123456"), 1)
    with ledger.store.write() as con:
        trading.save_positions(con, SESSION, ACCOUNT, [GE], NIGHT)
        trading.save_positions(con, NEXT, ACCOUNT, [AAPL, GE, big], LATER)
        con.execute("SELECT * FROM live_positions ORDER BY symbol")
        columns = [column[0] for column in con.description]
        apple, berkshire, ge = (dict(zip(columns, row, strict=True)) for row in con.fetchall())
    assert ", ".join(columns).startswith(
        "symbol, quantity, entry_price, current_price, market_value, cost_basis, unrealized_pnl, unrealized_pnl_pct, "
        "hypothesis_id, as_of_date, updated_at"
    )
    assert (apple["market_value"], apple["cost_basis"], apple["unrealized_pnl"]) == (D(8646), D(8613), D(33))
    assert apple["unrealized_pnl_pct"] == pytest.approx(33 / 8613)
    assert (apple["hypothesis_id"], apple["as_of_date"], apple["updated_at"]) == ("HYP-2026-001", NEXT, LATER)
    assert berkshire["market_value"] == D("543210123456.00")
    assert (ge["market_value"], ge["cost_basis"], ge["unrealized_pnl"]) == (None, D(-840), None)


def test_equity_is_kept_per_session_and_unknown_profit_stays_unknown(con):
    first = Equity(SESSION, ACCOUNT, D("100000.12"), D("5000"), NIGHT)
    second = Equity(NEXT, ACCOUNT, D("100100"), D("4000"), LATER, D(0), D("-3.5"), D(2))
    for equity in (replace(first, cash_usd=D(1)), first, second):
        trading.save_equity(con, equity)
    assert trading.load_equity(con, ACCOUNT) == [first, second]
    assert trading.load_equity(con, ACCOUNT, first=NEXT) == [second]


def test_breaks_are_replaced_and_the_newest_sync_counts_even_without_any(con):
    cash = Break(SESSION, ACCOUNT, "CASH", "cash", "5000.00", "4990.00")
    shares = Break(SESSION, ACCOUNT, "POSITION", "TRUE", "10", "20", "split 2 for 1")
    trading.save_breaks(con, SESSION, ACCOUNT, [cash, replace(cash, subject="gone")])
    trading.save_breaks(con, SESSION, ACCOUNT, [cash, shares])
    assert trading.load_breaks(con, ACCOUNT) == [cash, shares]
    trading.save_positions(con, NEXT, ACCOUNT, [], LATER)
    assert trading.load_breaks(con, ACCOUNT) == []
    assert trading.load_breaks(con, ACCOUNT, SESSION) == [cash, shares]


def test_a_commission_that_was_late_leaves_no_break_once_it_has_come(con):
    waiting = Break(SESSION, ACCOUNT, "CASH", "cash", "100.00", "99.00", "1 execution", COMMISSION)
    trading.save_breaks(con, SESSION, ACCOUNT, [waiting])
    trading.save_breaks(con, SESSION, ACCOUNT, [])
    assert trading.load_breaks(con, ACCOUNT) == []


def test_an_explained_break_outlives_a_repeated_sync_of_its_session(con):
    explained = Break(SESSION, ACCOUNT, "POSITION", "TRUE", "10", "20", "split 2 for 1", "split", "TRUE")
    trading.save_breaks(con, SESSION, ACCOUNT, [explained])
    trading.save_breaks(con, SESSION, ACCOUNT, [])
    assert trading.load_breaks(con, ACCOUNT) == [explained]
    trading.save_breaks(con, SESSION, ACCOUNT, [replace(explained, explanation="again")])
    assert [found.explanation for found in trading.load_breaks(con, ACCOUNT)] == ["again"]


@pytest.mark.parametrize(("cause", "agreed"), [("", None), ("split", SESSION)])
def test_a_session_agreed_on_a_name_unless_an_unexplained_break_was_about_it(con, cause, agreed):
    for session, at in ((SESSION, NIGHT), (NEXT, LATER)):
        trading.save_positions(con, session, ACCOUNT, [], at)
    trading.save_breaks(
        con, SESSION, ACCOUNT, [Break(SESSION, ACCOUNT, "POSITION", "TRUE", "1", "2", "", cause, "TRUE")]
    )
    assert trading.last_agreed_session(con, ACCOUNT, "TRUE", NEXT) == agreed
    assert trading.last_agreed_session(con, ACCOUNT, "AAPL", NEXT) == SESSION
    assert trading.last_agreed_session(con, ACCOUNT, "AAPL", SESSION) is None


def test_tracking_sets_paper_beside_the_backtest(con):
    trading.save_tracking(con, NEXT, ACCOUNT, D("100100"), None, None)
    trading.save_tracking(con, SESSION, ACCOUNT, D("1"), D("2"), 3.0)
    trading.save_tracking(con, SESSION, ACCOUNT, D("100000.5"), D("100001"), 3829.25)
    tracked = trading.load_tracking(con, ACCOUNT)
    assert tracked["paper_equity_usd"].tolist() == [100000.5, 100100.0]
    assert tracked["backtest_equity_usd"].isna().tolist() == [False, True]


def test_orders_of_an_older_store_get_the_new_names_and_count_as_sent_once(tmp_path, monkeypatch):
    steps, path = migrations.known_steps(), tmp_path / "old.duckdb"
    monkeypatch.setattr(migrations, "known_steps", lambda: steps[:2])
    columns = "order_ref, symbol, side, quantity, order_type, tif, session, for_session, account, strategy, plan_hash"
    with duckdb.connect(str(path)) as con:
        migrations.migrate(con, path)
        for ref, status, order_id in (("a", "submitted", 5), ("b", "pending", None)):
            sql = f"INSERT INTO orders ({columns}, status, broker_order_id, created_at, updated_at) VALUES "
            values = "'AAPL', 'buy', 1, 'market', 'OPG', '2022-12-27', '2022-12-28', 'DU1', 'S', 'p'"
            con.execute(f"{sql} ('{ref}', {values}, '{status}', ?, now(), now())", [order_id])
            con.execute("INSERT INTO order_events VALUES (?, 1, now(), NULL, ?, '', ?, NULL)", [ref, status, order_id])
        monkeypatch.undo()
        assert migrations.migrate(con, path) == [step.version for step in steps[2:]]
        assert [(o.status, o.attempt, o.lost) for o in store_orders.load_orders(con)] == [
            (S.ACKED, 1, 0), (S.PLANNED, 0, 0),
        ]  # fmt: skip
        assert con.execute("SELECT to_status, attempt FROM order_events ORDER BY ALL").fetchall() == [
            ("acked", 1), ("planned", 0),
        ]  # fmt: skip
