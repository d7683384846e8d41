from __future__ import annotations

import pytest

from hrp.errors import ConfigError, WrongAccountError
from hrp.execution.account import BrokerConfig, is_paper, prove_accounts, prove_settings


def config(**changes: object) -> BrokerConfig:
    fields: dict[str, object] = {"host": "127.0.0.1", "port": 7497, "client_id": 1, "account": "DU1234567"}
    return BrokerConfig(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": ""}, "host is required"),
        ({"account": ""}, "account is required"),
        ({"port": 0}, "port must be 1 to 65535, got 0"),
        ({"client_id": 0}, "client_id must be at least 1, got 0"),
        ({"timeout": 0}, "timeout must be positive seconds, got 0"),
        ({"requests_per_second": 50}, "requests_per_second must be 0 to 49, got 50"),
        ({"time_zone": "Mars/Base"}, "time_zone 'Mars/Base' is no known zone"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_value_error_that_names_it(changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        config(**changes)
    assert isinstance(raised.value, ConfigError)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"port": 4002},
        {"port": 40123},
        {"account": "DF7654321"},
        {"paper_trading": False, "port": 7496, "account": "U7654321", "allow_live_account": "U7654321"},
    ],
)
def test_mode_port_and_account_that_agree_pass(changes):
    prove_settings(config(**changes))


LIVE = {"paper_trading": False, "port": 7496, "account": "U7654321"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port": 7496}, "port 7496 is the live port of TWS and paper trading is set; set IBKR_PORT to 7497"),
        ({"port": 4001}, "port 4001 is the live port of IB Gateway"),
        ({"account": "U1234567"}, "account U1234567 does not have the form of a paper account"),
        ({"account": "DU123x"}, "account DU123x does not have the form"),
        ({**LIVE}, r"live account U7654321 is not allowed by name \(allowed: none\)"),
        ({**LIVE, "allow_live_account": "U1"}, r"\(allowed: U1\)"),
        ({**LIVE, "port": 4002, "allow_live_account": "U7654321"}, "port 4002 is the paper port of IB Gateway"),
        ({**LIVE, "account": "DU7654321"}, "account DU7654321 is a paper account and paper trading is off"),
    ],
)
def test_mode_port_and_account_that_disagree_are_refused_with_the_mend(changes, message):
    with pytest.raises(WrongAccountError, match=message):
        prove_settings(config(**changes))


@pytest.mark.parametrize(
    ("reported", "message"),
    [
        ([], "serves none, not account DU1234567"),
        (["DU7"], "serves DU7, not account DU1234567; set IBKR_ACCOUNT"),
        (["DU1234567", "U99"], "also serves U99; log in to the paper account alone"),
    ],
)
def test_a_server_that_serves_another_account_or_a_live_one_is_refused(reported, message):
    with pytest.raises(WrongAccountError, match=message):
        prove_accounts(config(), reported)


@pytest.mark.parametrize(
    ("account", "paper"),
    [("DU1", True), ("DF1234567", True), ("U1234567", False), ("DU", False), ("XDU12", False), ("DU12\n", False)],
)
def test_paper_accounts_are_known_by_their_form(account, paper):
    assert is_paper(account) is paper
