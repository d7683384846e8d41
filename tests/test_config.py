"""Settings: every variable documented, every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrp.config import describe, env_example, parse_settings
from hrp.errors import EXIT_USAGE, ConfigError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    for name, _, _ in describe():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def parse(tmp_path: Path):
    def from_text(text: str | bytes, **overrides: object):
        path = tmp_path / ".env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return parse_settings(path, overrides)

    return from_text


def test_the_shipped_example_lists_every_variable_with_unit_and_default():
    assert (ROOT / ".env.example").read_text() == env_example()
    assert all(unit for _, _, unit in describe())


def test_the_example_gives_the_defaults(parse):
    assert parse(env_example()) == parse("")


def test_the_file_gives_way_to_the_environment_and_both_to_what_is_given(parse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HRP_MAX_ORDERS", "7")
    assert parse("HRP_MAX_ORDERS=5").max_orders == 7
    assert parse("HRP_MAX_ORDERS=5", HRP_MAX_ORDERS=9).max_orders == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IBKR_PORT=abc", r"IBKR_PORT='abc': .*valid integer"),
        ("IBKR_PROT=7497", r"IBKR_PROT is not a setting of HRP; see \.env\.example"),
        ("IBKR_CLIENT_ID=0", r"IBKR_CLIENT_ID='0': .*greater than or equal to 1"),
        ("HRP_TOP_PCT=10", r"HRP_TOP_PCT='10': .*less than or equal to 1"),
        ("HRP_MAX_POSITION_PCT=10", r"max_position_pct=10 must be a fraction in \(0, 1\]"),
        ("HRP_MAX_POSITIONS=20", r"20 positions × 10% = 200% > gross 100%"),
        ("IBKR_PORT=7496", r"IBKR_PORT=7496 is a live port but IBKR_PAPER_TRADING=true; paper is 7497 or 4002"),
        ("IBKR_PORT=4001", r"IBKR_PORT=4001 is a live port"),
        ("IBKR_PAPER_TRADING=false\nIBKR_ACCOUNT=U1234567", r"needs HRP_ALLOW_LIVE_ACCOUNT to repeat IBKR_ACCOUNT"),
        ("HRP_CLOCK=2022-12-28T23:30:00", r"HRP_CLOCK='2022-12-28T23:30:00': an instant needs its zone"),
        ("HRP_CLOCK=yesterday", r"HRP_CLOCK='yesterday'"),
        ("HRP_SMTP_HOST=mail.example.org", r"HRP_ALERT_FROM or HRP_ALERT_TO is empty"),
        ("this is no assignment", r"\.env line 1: 'this is no assignment' is not NAME=value"),
        ("IBKR_ACCOUNT='DU1", r"\.env line 1: 'IBKR_ACCOUNT' is not NAME=value"),
        (b"\xff\xfe\x00HRP", r"\.env cannot be read .*restore it from \.env\.example"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(parse, text: str | bytes, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text)
    assert caught.value.exit_code == EXIT_USAGE
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no settings file at .*nowhere; create it: hrp init"):
        parse_settings(tmp_path / "nowhere")


def test_a_missing_account_is_asked_for_by_name(parse):
    with pytest.raises(ConfigError, match="IBKR_ACCOUNT is not set"):
        parse("").require_account()


def test_a_live_account_takes_two_statements(parse):
    text = "IBKR_PAPER_TRADING=false\nIBKR_ACCOUNT=U1234567\nHRP_ALLOW_LIVE_ACCOUNT=U1234567\nIBKR_PORT=7496"
    assert parse(text).ibkr_account == "U1234567"


def test_a_secret_shows_neither_in_the_settings_nor_in_an_error(parse):
    text = "HRP_SMTP_PASSWORD=hunter2\n"
    assert "hunter2" not in repr(parse(text))
    with pytest.raises(ConfigError) as caught:
        parse(text + "IBKR_PORT=abc")
    assert "hunter2" not in str(caught.value)
