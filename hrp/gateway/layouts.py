"""Every message by name and by field, and which server versions have which field.

A layout is written as the name of the message and the names of its fields in the order of the wire, the message number
left out. `field@170` is there from server version 170 on, `field<177` before 177 alone, `field@163<164` at 163 alone.
The gateway makes its messages with the fields of all versions; `at_version` takes away what a client's does not have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hrp.gateway.wire import Fields

INBOUND = "in"
OUTBOUND = "out"
NOTE = "note"
HANDSHAKE = "handshake"
OLDEST_VERSION = 157
USUAL_VERSION = 176
NEWEST_VERSION = 178

OPEN_ORDER, COMPLETED_ORDER, CONTRACT_DETAILS, EXEC_DETAILS = 5, 101, 10, 11
_SYMBOL_SAMPLES = 79
_SAMPLE_FIELDS = 8  # without derivative types, which this gateway never names
_ISSUER_VERSION = 176

_ASKED = (
    "con_id symbol sec_type last_trade_date strike right multiplier exchange primary_exchange currency "
    "local_symbol trading_class "
)
_CONTRACT = (
    "con_id symbol sec_type last_trade_date strike right multiplier exchange currency local_symbol trading_class "
)
_TERMS = "action total_quantity order_type lmt_price aux_price tif oca_group account open_close origin order_ref "
_ADVISER = "fa_group fa_method fa_percentage fa_profile<177 model_code good_till_date rule80a percent_offset "
_SHORT_SALE = "settling_firm short_sale_slot designated_location exempt_code "
_AUCTION = "starting_price stock_ref_price delta stock_range_lower stock_range_upper "
_VOLATILITY = "volatility volatility_type delta_neutral_order_type delta_neutral_aux_price "
_COMBINATION = "combo_legs_descrip leg_count leg_price_count smart_param_count "
_SCALE = "scale_init_level_size scale_subs_level_size scale_price_increment "
_PEGS = "min_trade_qty@170 min_compete_size@170 compete_offset@170 mid_offset_at_whole@170 mid_offset_at_half@170"
MARGINS = (
    "init_margin_before maint_margin_before equity_with_loan_before init_margin_change maint_margin_change "
    "equity_with_loan_change init_margin_after maint_margin_after equity_with_loan_after "
)
_OPEN_ORDER = (
    "openOrder order_id " + _CONTRACT + _TERMS + "client_id perm_id outside_rth hidden discretionary_amt "
    "good_after_time shares_allocation " + _ADVISER + _SHORT_SALE + "auction_strategy " + _AUCTION + "display_size "
    "block_order sweep_to_fill all_or_none min_qty oca_type e_trade_only firm_quote_only nbbo_price_cap parent_id "
    "trigger_method " + _VOLATILITY + "dn_con_id dn_settling_firm dn_clearing_account dn_clearing_intent "
    "dn_open_close dn_short_sale dn_short_sale_slot dn_designated_location continuous_update reference_price_type "
    "trail_stop_price trailing_percent basis_points basis_points_type " + _COMBINATION + _SCALE + "hedge_type "
    "opt_out_smart_routing clearing_account clearing_intent not_held dnc_present algo_strategy solicited what_if "
    "status " + MARGINS + "commission min_commission max_commission commission_currency warning_text randomize_size "
    "randomize_price condition_count adjusted_order_type trigger_price trail_stop_price lmt_price_offset "
    "adjusted_stop_price adjusted_stop_limit_price adjusted_trailing_amount adjustable_trailing_unit "
    "soft_dollar_name soft_dollar_value soft_dollar_display cash_qty dont_use_auto_price_for_hedge is_oms_container "
    "discretionary_up_to_limit_price use_price_mgmt_algo duration@159 post_to_ats@160 auto_cancel_parent@162 " + _PEGS
)
_COMPLETED_ORDER = (
    "completedOrder " + _CONTRACT + _TERMS + "perm_id outside_rth hidden discretionary_amt good_after_time "
    + _ADVISER + _SHORT_SALE + _AUCTION + "display_size sweep_to_fill all_or_none min_qty oca_type trigger_method "
    + _VOLATILITY + "dn_con_id dn_short_sale dn_short_sale_slot dn_designated_location continuous_update "
    "reference_price_type trail_stop_price trailing_percent " + _COMBINATION + _SCALE + "hedge_type clearing_account "
    "clearing_intent not_held dnc_present algo_strategy solicited status randomize_size randomize_price "
    "condition_count trail_stop_price lmt_price_offset cash_qty dont_use_auto_price_for_hedge is_oms_container "
    "auto_cancel_date filled_quantity ref_futures_con_id auto_cancel_parent shareholder imbalance_only "
    "route_marketable_to_bbo parent_perm_id completed_time completed_status " + _PEGS
)  # fmt: skip
_CONTRACT_DETAILS = (
    "contractDetails version<164 req_id symbol sec_type last_trade_date strike right exchange currency local_symbol "
    "market_name trading_class con_id min_tick md_size_multiplier<164 multiplier order_types valid_exchanges "
    "price_magnifier under_con_id long_name primary_exchange contract_month industry category subcategory time_zone "
    "trading_hours liquid_hours ev_rule ev_multiplier sec_id_count agg_group under_symbol under_sec_type "
    "market_rule_ids real_expiration_date stock_type size_min_tick@163<164 min_size@164 size_increment@164 "
    "suggested_size_increment@164"
)
_WRITTEN = {
    1: "tickPrice version req_id kind price size attributes",
    2: "tickSize version req_id kind size",
    3: "orderStatus order_id status filled remaining average_price perm_id parent_id last_price client_id why_held "
    "cap_price",
    4: "error version req_id code text advanced_reject@166",
    OPEN_ORDER: _OPEN_ORDER,
    6: "accountValue version key value currency account",
    7: "portfolioValue version con_id symbol sec_type last_trade_date strike right multiplier primary_exchange "
    "currency local_symbol trading_class position market_price market_value average_cost unrealized realized account",
    8: "accountUpdateTime version time",
    9: "nextValidId version order_id",
    CONTRACT_DETAILS: _CONTRACT_DETAILS,
    EXEC_DETAILS: "execDetails req_id order_id " + _CONTRACT + "exec_id time account venue side shares price perm_id "
    "client_id liquidation cum_qty average_price order_ref ev_rule ev_multiplier model_code last_liquidity "
    "pending_price_revision@178",
    15: "managedAccounts version accounts",
    17: "historicalData req_id start end count",
    45: "tickGeneric version req_id kind value",
    46: "tickString version req_id kind value",
    49: "currentTime version time",
    52: "contractDetailsEnd version req_id",
    53: "openOrderEnd version",
    54: "accountDownloadEnd version account",
    55: "execDetailsEnd version req_id",
    57: "tickSnapshotEnd version req_id",
    58: "marketDataType version req_id kind",
    59: "commissionReport version exec_id commission currency realized yield yield_redemption_date",
    61: "position version account " + _CONTRACT + "position average_cost",
    62: "positionEnd version",
    63: "accountSummary version req_id account tag value currency",
    64: "accountSummaryEnd version req_id",
    73: "accountUpdateMulti version req_id account model key value currency",
    74: "accountUpdateMultiEnd version req_id",
    _SYMBOL_SAMPLES: "symbolSamples req_id count",
    81: "tickReqParams req_id min_tick bbo_exchange permissions",
    88: "headTimestamp req_id time",
    93: "marketRule rule_id count",
    94: "pnl req_id daily unrealized realized",
    95: "pnlSingle req_id position daily unrealized realized value",
    COMPLETED_ORDER: _COMPLETED_ORDER,
    102: "completedOrdersEnd",
}
_READ = {
    1: "reqMktData version req_id " + _ASKED,
    2: "cancelMktData version req_id",
    3: "placeOrder order_id " + _ASKED + "sec_id_type sec_id " + _TERMS + "transmit",
    4: "cancelOrder version order_id manual_time",
    5: "reqOpenOrders version",
    6: "reqAccountUpdates version subscribe account",
    7: "reqExecutions version req_id client_id account time symbol sec_type exchange side",
    8: "reqIds version count",
    9: "reqContractDetails version req_id " + _ASKED + "include_expired sec_id_type sec_id issuer_id",
    14: "setServerLogLevel version level",
    15: "reqAutoOpenOrders version auto_bind",
    16: "reqAllOpenOrders version",
    17: "reqManagedAccts version",
    20: "reqHistoricalData req_id " + _ASKED + "include_expired end bar_size duration use_rth what",
    25: "cancelHistoricalData version req_id",
    49: "reqCurrentTime version",
    58: "reqGlobalCancel version",
    59: "reqMarketDataType version kind",
    61: "reqPositions version",
    62: "reqAccountSummary version req_id group tags",
    63: "cancelAccountSummary version req_id",
    64: "cancelPositions version",
    71: "startApi version client_id capabilities",
    76: "reqAccountUpdatesMulti version req_id account model ledger",
    77: "cancelAccountUpdatesMulti version req_id",
    81: "reqMatchingSymbols req_id pattern",
    87: "reqHeadTimestamp req_id " + _ASKED,
    90: "cancelHeadTimestamp req_id",
    91: "reqMarketRule rule_id",
    92: "reqPnL req_id account model",
    93: "cancelPnL req_id",
    94: "reqPnLSingle req_id account model con_id",
    95: "cancelPnLSingle req_id",
    99: "reqCompletedOrders api_only",
}
_MOST_DIGITS = 9
_FIELD = re.compile(r"(\w+)(?:@(\d+))?(?:<(\d+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    since: int
    before: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A message: its name, and its fields of all versions, the number left out."""

    name: str
    fields: tuple[_Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of all versions together."""
        return tuple(field.name for field in self.fields)

    def at(self, version: int) -> tuple[int, ...]:
        """Which of `fields` a message of `version` has."""
        return tuple(i for i, field in enumerate(self.fields) if field.since <= version < field.before)


def _layout(text: str) -> Layout:
    name, *fields = text.split()
    found = [match for match in map(_FIELD.fullmatch, fields) if match]
    return Layout(name, tuple(_Field(m[1], int(m[2] or 0), int(m[3] or NEWEST_VERSION + 1)) for m in found))


LAYOUTS = {
    INBOUND: {number: _layout(text) for number, text in _READ.items()},
    OUTBOUND: {number: _layout(text) for number, text in _WRITTEN.items()},
}
DIRECTIONS = {layout.name: direction for direction, layouts in LAYOUTS.items() for layout in layouts.values()}


def at_version(fields: Fields, version: int) -> Fields:
    """An outbound message with the fields of all versions, as a client of `version` gets it."""
    number = int(fields[0])
    if number == _SYMBOL_SAMPLES and version < _ISSUER_VERSION:
        return fields[:3] + tuple(
            text for start in range(3, len(fields), _SAMPLE_FIELDS) for text in fields[start : start + 6]
        )
    kept = _kept(number, version)
    return fields if kept is None else (fields[0], *(fields[at + 1] for at in kept))


def named(direction: str, fields: Fields) -> dict[str, str]:
    """The fields that have names, of a message as it was on the wire at whichever version."""
    layout = LAYOUTS.get(direction, {}).get(message_number(fields))
    if layout is None:
        return {}
    names = layout.names
    if direction == OUTBOUND:
        names = tuple(names[at] for at in _fitting(message_number(fields), len(fields) - 1))
    return dict(zip(names, fields[1:], strict=False))


def name_of(direction: str, number: int) -> str:
    """The name of message `number`; the handshake has none, and its answer begins with the version."""
    layout = LAYOUTS.get(direction, {}).get(number)
    if layout:
        return layout.name
    return NOTE if direction == NOTE else str(number) if direction == INBOUND and number else HANDSHAKE


def message_number(fields: Sequence[str]) -> int:
    """The number that a message begins with; 0 for the handshake, which has none."""
    first = fields[0] if fields else ""
    return int(first) if first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS else 0


@cache
def _fitting(number: int, count: int) -> tuple[int, ...]:
    """Which fields a message has that has `count` of them; the newest version that has so many decides."""
    layout = LAYOUTS[OUTBOUND][number]
    versions = range(NEWEST_VERSION, OLDEST_VERSION - 1, -1)
    return next((at for at in map(layout.at, versions) if len(at) == count), layout.at(USUAL_VERSION))


@cache
def _kept(number: int, version: int) -> tuple[int, ...] | None:
    """Which fields of a message stay at `version`; None if all do."""
    layout = LAYOUTS[OUTBOUND][number]
    kept = layout.at(version)
    return None if len(kept) == len(layout.fields) else kept
