"""How an account trades: its currency, what it pays, how much it gets. Kept in the state, given as texts by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from hrp.domain.commission import Schedule
from hrp.errors import ConfigError

USD = "USD"
_MOST_MINUTES = 180  # the shortest session lasts 3.5 hours


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules of one account.

    `rate` is USD for one unit of the base currency. `volume_share` is the fraction of a session's volume in a name
    that the account's orders trade at most, None for no limit. `closing_cutoff` is how long before the close the
    exchange takes no more on-close orders. `actions` is the file of corporate actions.
    """

    base_currency: str = USD
    rate: Decimal = Decimal(1)
    commission: Schedule = Schedule.FIXED
    volume_share: Decimal | None = None
    closing_cutoff: timedelta = timedelta(minutes=10)
    actions: Path | None = None


def read_terms(said: Mapping[str, str]) -> Terms:
    """The terms that `said` names (see `NAMES`); what is not named has its default.

    Raises:
        ConfigError: a value is not one, or a base currency other than USD comes without its rate, or USD with one.
    """
    terms = Terms(**{_READERS[name][0]: _READERS[name][1](name, text) for name, text in said.items()})
    if (terms.base_currency == USD) != (terms.rate == 1):
        raise ConfigError(
            f"base currency {terms.base_currency} at {terms.rate} USD; "
            "give --base-currency and --rate together, such as --base-currency GBP --rate 1.25"
        )
    return terms


def _currency(name: str, text: str) -> str:
    return text if re.fullmatch("[A-Z]{3}", text) else _refuse(name, text, "a currency such as GBP")


def _positive(name: str, text: str) -> Decimal:
    amount = _decimal(text)
    return amount if amount is not None and amount > 0 else _refuse(name, text, "a positive number")


def _share(name: str, text: str) -> Decimal:
    amount = _decimal(text)
    return amount if amount is not None and 0 < amount <= 1 else _refuse(name, text, "a fraction in (0, 1]")


def _schedule(name: str, text: str) -> Schedule:
    return Schedule(text) if text in set(Schedule) else _refuse(name, text, f"one of {', '.join(Schedule)}")


def _minutes(name: str, text: str) -> timedelta:
    is_one = text.isdigit() and int(text) <= _MOST_MINUTES
    return timedelta(minutes=int(text)) if is_one else _refuse(name, text, f"a number of minutes, 0 to {_MOST_MINUTES}")


def _file(_name: str, text: str) -> Path:
    return Path(text)


def _decimal(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _refuse(name: str, text: str, wanted: str) -> NoReturn:
    raise ConfigError(f"--{name} {text!r} is not {wanted}")


_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "base-currency": ("base_currency", _currency),
    "rate": ("rate", _positive),
    "commission": ("commission", _schedule),
    "volume-share": ("volume_share", _share),
    "closing-cutoff-minutes": ("closing_cutoff", _minutes),
    "actions": ("actions", _file),
}
NAMES = tuple(_READERS)
