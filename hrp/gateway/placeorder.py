"""The longest message: an order as the client sends it, read whole, at every version from 157 to 178."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hrp.gateway.errors import ProtocolError
from hrp.gateway.wire import FieldReader, decimal_of

_CONTRACT = (
    "con_id symbol sec_type last_trade_date strike right multiplier exchange primary_exchange currency "
    "local_symbol trading_class"
)
CONTRACT_NAMES = tuple(_CONTRACT.split())
_HEAD = (
    "action total_quantity order_type lmt_price aux_price tif oca_group account open_close origin order_ref transmit "
    "parent_id block_order sweep_to_fill display_size trigger_method outside_rth hidden"
)
_MIDDLE = "old_shares_allocation discretionary_amt good_after_time good_till_date fa_group fa_method fa_percentage"
_PROFILE = "fa_profile"
_BROKERAGE = (
    "model_code short_sale_slot designated_location exempt_code oca_type rule80a settling_firm "
    "all_or_none min_qty percent_offset e_trade_only firm_quote_only nbbo_price_cap auction_strategy starting_price "
    "stock_ref_price delta stock_range_lower stock_range_upper override_percentage_constraints volatility "
    "volatility_type delta_neutral_order_type delta_neutral_aux_price"
)
_DELTA_NEUTRAL = (
    "dn_con_id dn_settling_firm dn_clearing_account dn_clearing_intent dn_open_close dn_short_sale "
    "dn_short_sale_slot dn_designated_location"
)
_PRICING = (
    "continuous_update reference_price_type trail_stop_price trailing_percent scale_init_level_size "
    "scale_subs_level_size scale_price_increment"
)
_SCALE = (
    "scale_price_adjust_value scale_price_adjust_interval scale_profit_offset scale_auto_reset scale_init_position "
    "scale_init_fill_qty scale_random_percent"
)
_ROUTING = "opt_out_smart_routing clearing_account clearing_intent not_held dnc_present"
_FLAGS = "algo_id what_if order_misc_options solicited randomize_size randomize_price"
_PEG_BENCH = "reference_con_id pegged_decrease pegged_change reference_change reference_exchange"
_TAIL = (
    "adjusted_order_type trigger_price lmt_price_offset adjusted_stop_price adjusted_stop_limit_price "
    "adjusted_trailing_amount adjustable_trailing_unit ext_operator soft_dollar_name soft_dollar_value cash_qty "
    "mifid2_decision_maker mifid2_decision_algo mifid2_execution_trader mifid2_execution_algo "
    "dont_use_auto_price_for_hedge is_oms_container discretionary_up_to_limit_price use_price_mgmt_algo"
)
_ADDED = {
    "duration": 158,
    "post_to_ats": 160,
    "auto_cancel_parent": 162,
    "advanced_error_override": 166,
    "manual_order_time": 169,
}
_PEG_VERSION = 170
_LAST_PROFILE_VERSION = 176
_LEG_FIELDS = 8
_HIGHEST_CON_ID = 2**31 - 1
_CONDITION_FIELDS = {1: 6, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5}


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """An order request: `sent` holds every field by name, unset ones as empty texts."""

    order_id: int
    sent: Mapping[str, str]

    def decimal(self, name: str) -> Decimal | None:
        """Field `name` as a decimal; unset is None."""
        return decimal_of(self.sent[name])

    def flag(self, name: str) -> bool:
        """Field `name` as a boolean; absent or unset is false."""
        return self.sent.get(name, "") not in ("", "0")


def con_id_of(text: str) -> int:
    """The instrument number in `text`: 0 if there is none, -1 if no instrument can have it.

    Raises:
        ProtocolError: not a number.
    """
    number = decimal_of(text) or Decimal(0)
    return int(number) if 0 <= number <= _HIGHEST_CON_ID and number == int(number) else -1


def read_place_order(reader: FieldReader) -> PlaceOrder:
    """The order in `reader`, which stands before the order id.

    Raises:
        ProtocolError: a field is missing; whoever calls checks that none is left over.
    """
    order_id = reader.integer()
    sent: dict[str, str] = {}
    _take(reader, sent, f"{_CONTRACT} sec_id_type sec_id {_HEAD}")
    if sent["sec_type"] == "BAG":
        _take_combination(reader, sent)
    _take(reader, sent, f"{_MIDDLE} {_PROFILE if reader.version <= _LAST_PROFILE_VERSION else ''} {_BROKERAGE}")
    if sent["delta_neutral_order_type"]:
        _take(reader, sent, _DELTA_NEUTRAL)
    _take(reader, sent, _PRICING)
    if (decimal_of(sent["scale_price_increment"]) or 0) > 0:
        _take(reader, sent, _SCALE)
    _take_instructions(reader, sent)
    _take_conditions(reader, sent)
    _take(reader, sent, _TAIL)
    _take(reader, sent, " ".join(name for name, since in _ADDED.items() if reader.version >= since))
    if reader.version >= _PEG_VERSION:
        _take_pegs(reader, sent)
    return PlaceOrder(order_id, sent)


def _take(reader: FieldReader, sent: dict[str, str], names: str) -> None:
    for name in names.split():
        sent[name] = reader.value()


def _take_list(reader: FieldReader, sent: dict[str, str], name: str, width: int) -> None:
    """A count and `width` fields for each item; only the count is kept."""
    count = reader.integer()
    sent[name] = str(count)
    for _ in range(count * width):
        reader.value()


def _take_combination(reader: FieldReader, sent: dict[str, str]) -> None:
    _take_list(reader, sent, "leg_count", _LEG_FIELDS)
    _take_list(reader, sent, "leg_price_count", 1)
    _take_list(reader, sent, "smart_param_count", 2)


def _take_instructions(reader: FieldReader, sent: dict[str, str]) -> None:
    _take(reader, sent, "scale_table active_start_time active_stop_time hedge_type")
    if sent["hedge_type"]:
        _take(reader, sent, "hedge_param")
    _take(reader, sent, _ROUTING)
    if sent["dnc_present"] == "1":
        _take(reader, sent, "dnc_con_id dnc_delta dnc_price")
    _take(reader, sent, "algo_strategy")
    if sent["algo_strategy"]:
        _take_list(reader, sent, "algo_param_count", 2)
    _take(reader, sent, _FLAGS)
    if sent["order_type"] == "PEG BENCH":
        _take(reader, sent, _PEG_BENCH)


def _take_conditions(reader: FieldReader, sent: dict[str, str]) -> None:
    count = reader.integer()
    sent["condition_count"] = str(count)
    for _ in range(count):
        kind = reader.integer()
        if kind not in _CONDITION_FIELDS:
            raise ProtocolError(f"message 3: condition type {kind} is unknown")
        for _ in range(_CONDITION_FIELDS[kind]):
            reader.value()
    if count:
        _take(reader, sent, "conditions_ignore_rth conditions_cancel_order")


def _take_pegs(reader: FieldReader, sent: dict[str, str]) -> None:
    if sent["exchange"] == "IBKRATS":
        _take(reader, sent, "min_trade_qty")
    if sent["order_type"] == "PEG BEST":
        _take(reader, sent, "min_compete_size compete_offset")
        if sent["compete_offset"] == "Infinite":
            _take(reader, sent, "mid_offset_at_whole mid_offset_at_half")
    elif sent["order_type"] == "PEG MID":
        _take(reader, sent, "mid_offset_at_whole mid_offset_at_half")
