"""What the server says about orders: openOrder, orderStatus, completedOrder, execDetails, commissionReport.

The two long messages are filled by name, from what the client sent, what the order is, and what TWS writes where
nothing was said. All messages have the fields of all versions (`layouts.at_version`).
"""

from __future__ import annotations

from decimal import Decimal

from hrp.gateway.account import CURRENCY
from hrp.gateway.clock import tws_text
from hrp.gateway.layouts import COMPLETED_ORDER, EXEC_DETAILS, LAYOUTS, MARGINS, OPEN_ORDER, OUTBOUND
from hrp.gateway.records import Execution, Order, Side, Status
from hrp.gateway.replies import PRIMARY_EXCHANGE, STOCK, contract_fields, realized_text
from hrp.gateway.wire import UNSET_DOUBLE, UNSET_INT, Fields, Value, fields_of

_OPEN_ORDER = LAYOUTS[OUTBOUND][OPEN_ORDER].names
_COMPLETED_ORDER = LAYOUTS[OUTBOUND][COMPLETED_ORDER].names

_ZERO = (
    "origin outside_rth hidden discretionary_amt short_sale_slot block_order sweep_to_fill all_or_none e_trade_only "
    "firm_quote_only parent_id trigger_method dn_con_id dn_short_sale dn_short_sale_slot continuous_update leg_count "
    "leg_price_count smart_param_count opt_out_smart_routing not_held dnc_present solicited what_if randomize_size "
    "randomize_price condition_count dont_use_auto_price_for_hedge is_oms_container use_price_mgmt_algo "
    "auto_cancel_parent ref_futures_con_id imbalance_only route_marketable_to_bbo parent_perm_id"
)
_UNSET_PRICES = (
    MARGINS + "trigger_price lmt_price_offset adjusted_stop_price adjusted_stop_limit_price adjusted_trailing_amount"
)
_DEFAULTS: dict[str, Value] = {
    **dict.fromkeys(_OPEN_ORDER + _COMPLETED_ORDER, ""),
    **dict.fromkeys(_ZERO.split(), "0"),
    **dict.fromkeys(_UNSET_PRICES.split(), UNSET_DOUBLE),
    "exempt_code": "-1",
    "delta_neutral_order_type": "None",
    "dn_open_close": "?",
    "clearing_intent": "IB",
    "adjusted_order_type": "None",
    "duration": UNSET_INT,
    "post_to_ats": UNSET_INT,
    "min_compete_size": "100",
    "compete_offset": "0.02",
    "discretionary_up_to_limit_price": "0",
}


def open_order(account: str, order: Order, **state: Value) -> Fields:
    """An order that may still fill, or has just ended; `state` adds to or replaces fields by name."""
    values = {
        **_shared(account, order),
        "order_id": order.order_id,
        "client_id": order.client_id,
        "total_quantity": order.quantity,
        "shares_allocation": f"{order.perm_id}.0/{account}/100",
        "strike": "0",
        "right": "?",
        **state,
    }
    return fields_of(OPEN_ORDER, *(values[name] for name in _OPEN_ORDER))


def open_order_end() -> Fields:
    """All open orders were sent."""
    return fields_of(53, 1)


def order_status(order: Order) -> Fields:
    """How far `order` came."""
    average, last = (order.average_price, order.last_price) if order.filled else (Decimal("0.0"), Decimal("0.0"))
    amounts = (order.filled, order.remaining, average)
    return fields_of(3, order.order_id, order.status, *amounts, order.perm_id, 0, last, order.client_id, "", "0.0")


def completed_order(account: str, order: Order) -> Fields:
    """An order that has ended; it names neither order id nor client, and no quantity if it filled."""
    is_filled = order.status is Status.FILLED
    values = {
        **_shared(account, order),
        "total_quantity": 0 if is_filled else order.quantity,
        "filled_quantity": order.filled,
        "completed_time": tws_text(order.ended_at or order.placed_at),
        "completed_status": f"Filled Size: {order.filled}" if is_filled else order.reason,
        "strike": "0",
        "right": "?",
    }
    return fields_of(COMPLETED_ORDER, *(values[name] for name in _COMPLETED_ORDER))


def completed_orders_end() -> Fields:
    """All ended orders were sent."""
    return fields_of(102)


def exec_details(account: str, execution: Execution, req_id: int = -1) -> Fields:
    """One fill; the request id is -1 when nobody asked."""
    return fields_of(
        EXEC_DETAILS,
        req_id,
        execution.order_id,
        *contract_fields(execution.instrument, "SMART"),
        execution.exec_id,
        tws_text(execution.at),
        account,
        PRIMARY_EXCHANGE,
        "BOT" if execution.side is Side.BUY else "SLD",
        execution.quantity,
        execution.price,
        execution.perm_id,
        execution.client_id,
        0,
        execution.cumulative,
        execution.average_price,
        execution.order_ref,
        *("", "", "", 2, 0),
    )


def exec_details_end(req_id: int) -> Fields:
    """All fills were sent."""
    return fields_of(55, 1, req_id)


def commission_report(execution: Execution) -> Fields:
    """What one fill cost."""
    realized = realized_text(execution.realized)
    return fields_of(59, 1, execution.exec_id, execution.commission, CURRENCY, realized, "", "")


def _shared(account: str, order: Order) -> dict[str, Value]:
    """The fields that both long messages have, by name."""
    said = {name: text for name, text in order.sent.items() if name in _DEFAULTS}
    symbol = order.instrument.symbol
    return {
        **_DEFAULTS,
        **said,
        "con_id": order.instrument.con_id,
        "symbol": symbol,
        "sec_type": STOCK,
        "exchange": order.exchange,
        "currency": CURRENCY,
        "local_symbol": symbol,
        "trading_class": symbol,
        "action": order.side,
        "order_type": order.kind,
        "lmt_price": "0.0" if order.limit is None else order.limit,
        "aux_price": "0.0",
        "tif": order.tif,
        "account": account,
        "order_ref": order.order_ref,
        "perm_id": order.perm_id,
        "oca_type": "3",
        "status": order.status,
    }
