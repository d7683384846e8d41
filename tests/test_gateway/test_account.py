"""What an account is told to be worth, in its base currency, and what HRP's own adapter makes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hrp.domain.commission import Schedule
from hrp.errors import BrokerError, ConfigError
from hrp.execution.broker import BrokerConfig, IBKRBroker
from hrp.gateway import client
from hrp.gateway.errors import GatewayError
from hrp.gateway.terms import Terms, read_terms

from .support import ACCOUNT, Teller, at, close_desks, open_desk, order_fields, write_market

POUNDS = {"base-currency": "GBP", "rate": "1.25"}


LEDGER = {
    "CashBalance": ["80000.00", "-10301.00", "71759.20"],
    "StockMarketValue": ["0.00", "10500.00", "8400.00"],
    "NetLiquidationByCurrency": ["80000.00", "199.00", "80159.20"],
    "UnrealizedPnL": ["0.00", "199.00", "159.20"],
    "ExchangeRate": ["1.00", "0.8000000", "1.00"],
}


@pytest.fixture
def london(tmp_path) -> Teller:
    """A client of an account with 80,000 GBP, 1.25 USD each, that bought 100 AAA at 103 on 2024-01-03, at 105 now."""
    teller = Teller(open_desk(tmp_path, at(2, 22), "80000.00", base_currency="GBP", rate="1.25"))
    teller.order(1, "BUY", 100)
    teller.advance(at(3, 22))
    return teller


def values(teller: Teller) -> dict[tuple[str, str], str]:
    rows = teller.ask("6", "2", "1", ACCOUNT)
    return {(fields[2], fields[4]): fields[3] for fields in rows if fields[0] == "6"}


def test_an_account_in_pounds_states_its_money_in_pounds_and_each_currency_by_itself(london):
    said = values(london)
    # 100 x 103 + 1.00 = 10301.00 USD owed, 10500.00 USD held: 80000 + 199 / 1.25
    assert said["NetLiquidation", "GBP"] == "80159.20"
    assert said["TotalCashValue", "GBP"] == "71759.20"  # 80000 - 10301 / 1.25
    assert said["GrossPositionValue", "GBP"] == "8400.00"
    assert {currency for key, currency in said if key in ("NetLiquidation", "BuyingPower")} == {"GBP"}
    ledger = {key: [said[key, currency] for currency in ("GBP", "USD", "BASE")] for key in LEDGER}
    assert ledger == LEDGER


def test_an_account_in_dollars_has_no_other_currency(tmp_path):
    said = values(Teller(open_desk(tmp_path, at(2, 22))))
    assert {currency for _, currency in said} == {"", "USD", "BASE"}
    assert said["CashBalance", "USD"] == said["CashBalance", "BASE"] == "100000.00"


def test_a_summary_holds_the_ledger_of_the_currency_asked_for(london):
    rows = london.ask("62", "1", "3", "All", "NetLiquidation,$LEDGER:GBP")
    assert rows[0][4:] == ("NetLiquidation", "80159.20", "GBP")
    assert {row[6] for row in rows[1:-1]} == {"GBP"}


def test_profit_is_told_in_the_base_currency(london):
    [row] = london.ask("92", "3", ACCOUNT, "")
    assert row[2:] == ("159.20", "159.20", "0.00")


def test_buying_power_counts_every_currency_in_dollars(tmp_path):
    teller = Teller(open_desk(tmp_path, at(2, 22), "80000.00", base_currency="GBP", rate="1.25"))
    assert teller.order(1, "BUY", 981)[0] == "error 1 201"  # 981 x 102 = 100062 > 80000 x 1.25
    assert teller.order(2, "BUY", 980)[0] == "order 2 PreSubmitted"


def test_a_what_if_order_is_answered_in_the_base_currency_with_its_commission_in_dollars(london):
    first, second = london.ask(*order_fields(2, "SELL", 50, what_if="1"))
    unset = "1.7976931348623157E308"
    assert set(first[95:104]) == {unset}
    # margin 8400.00 less 50 x 105 / 1.25; equity 80159.20 less 1.00 / 1.25
    assert second[95:104] == (
        "8400.00", "8400.00", "80159.20", "-4200.00", "-4200.00", "-0.80", "4200.00", "4200.00", "80158.40",
    )  # fmt: skip
    assert second[104:108] == ("", "1.00", "1.00", "USD")


def test_the_tiered_schedule_charges_less_and_is_what_a_what_if_order_says(tmp_path):
    teller = Teller(open_desk(tmp_path, at(2, 22), commission="tiered"))
    _, second = teller.ask(*order_fields(1, "BUY", 200, what_if="1"))
    teller.order(1, "BUY", 200)
    assert second[105] == "0.70"
    assert teller.advance(at(3, 22))[-1] == "commission 0.70"


def test_a_lower_tier_begins_with_the_session_after_the_one_that_passed_its_threshold(tmp_path):
    teller = Teller(open_desk(tmp_path, at(2, 22), "100000000.00", commission="tiered"))
    teller.order(1, "BUY", 300_000)
    teller.order(2, "BUY", 1000)
    assert [line for line in teller.advance(at(3, 22)) if line.startswith("comm")] == [
        "commission 1050.00", "commission 3.50",
    ]  # fmt: skip
    teller.order(3, "BUY", 1000)
    assert teller.advance(at(4, 22))[-1] == "commission 2.00"


def test_terms_stay_with_the_account_until_others_are_given(tmp_path):
    open_desk(tmp_path, at(2, 22), volume_share="0.1", commission="tiered")
    close_desks()
    kept = open_desk(tmp_path, at(2, 22)).books.ledger.terms
    assert kept == Terms(volume_share=Decimal("0.1"), commission=Schedule.TIERED)
    close_desks()
    assert open_desk(tmp_path, at(2, 22), commission="fixed").books.ledger.terms == Terms(volume_share=Decimal("0.1"))


def test_an_account_keeps_its_base_currency(tmp_path):
    open_desk(tmp_path, at(2, 22))
    close_desks()
    with pytest.raises(GatewayError, match="is kept in USD here, not in GBP; use another --state"):
        open_desk(tmp_path, at(2, 22), base_currency="GBP", rate="1.25")


BAD = [
    ({"volume-share": "1.1"}, "--volume-share '1.1' is not a fraction"),
    ({"volume-share": "0"}, "is not a fraction"),
    ({"volume-share": "much"}, "is not a fraction"),
    ({"commission": "free"}, "is not one of fixed, tiered"),
    ({"closing-cutoff-minutes": "-1"}, "is not a number of minutes"),
    ({"closing-cutoff-minutes": "181"}, "is not a number of minutes"),
    ({"base-currency": "pound", "rate": "1.25"}, "is not a currency"),
    ({"base-currency": "GBP", "rate": "NaN"}, "is not a positive number"),
    ({"base-currency": "GBP"}, "give --base-currency and --rate together"),
    ({"rate": "1.25"}, "give --base-currency and --rate together"),
]


@pytest.mark.parametrize(("said", "words"), BAD)
def test_terms_that_make_no_sense_are_refused(said, words):
    with pytest.raises(ConfigError, match=words):
        read_terms(said)


def test_the_adapter_refuses_an_account_in_another_currency(tmp_path):
    state = tmp_path / "state"
    market = write_market(tmp_path / "market.parquet")
    running = client.start(state, market, ACCOUNT, clock=at(2, 22), cash=Decimal("80000.00"), terms=POUNDS)
    try:
        config = BrokerConfig("127.0.0.1", running.port, 7, ACCOUNT, timeout=10)
        with (
            IBKRBroker(config) as broker,
            pytest.raises(BrokerError, match="states NetLiquidation in GBP, not in USD; HRP needs a USD account"),
        ):
            broker.state()
    finally:
        client.stop(state)
