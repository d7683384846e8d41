"""Splits and dividends: what they make of shares held, and the cash they bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from fractions import Fraction

from hrp.domain.commission import to_cents
from hrp.domain.lineage import plain
from hrp.domain.sessions import EXCHANGE_ZONE

_LARGEST_DENOMINATOR = 10_000  # a ratio is stored with eight decimals: 1 for 3 as 0.33333333
_PRICE_DECIMALS = 6
_WHOLE = Decimal(1)


class ActionKind(StrEnum):
    SPLIT = "split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """An action on whatever is held at the close before `ex_session`.

    `value`: new shares for one old (split), or USD a share (dividend). `close_before`: of a split, the USD close
    before `ex_session`; None where it is not known.
    """

    symbol: str
    ex_session: date
    kind: ActionKind
    value: Decimal
    close_before: Decimal | None = None

    @property
    def ex_at(self) -> datetime:
        """The start of the ex-day in New York: what was held before it, the action is about."""
        return datetime.combine(self.ex_session, time(), EXCHANGE_ZONE)

    @property
    def about(self) -> str:
        """The identity of the action, for the record of its effect."""
        return f"{self.kind}:{self.symbol}:{self.ex_session}"

    @property
    def ratio(self) -> Fraction:
        """New shares for one old, exact."""
        return exact_ratio(self.value)

    def __str__(self) -> str:
        if self.kind is ActionKind.DIVIDEND:
            return f"dividend of {plain(self.value)} USD a share of {self.symbol}, ex {self.ex_session}"
        return f"split {self.ratio.numerator} for {self.ratio.denominator} of {self.symbol}, ex {self.ex_session}"


def exact_ratio(value: Decimal | float) -> Fraction:
    """The ratio of a split that was meant by its rounded `value`: 0.33333333 is 1 for 3."""
    return Fraction(str(value)).limit_denominator(_LARGEST_DENOMINATOR)


def after_split(held: Decimal, split: CorporateAction) -> tuple[Decimal, Decimal]:
    """(whole shares, fraction of a share that is paid in cash) of `held` shares after `split`."""
    exact = Fraction(held) * split.ratio
    shares = Decimal(exact.numerator) / Decimal(exact.denominator)
    whole = shares.quantize(_WHOLE, rounding=ROUND_DOWN)
    return whole, shares - whole


def new_price(price: Decimal, split: CorporateAction) -> Decimal:
    """What a share of `price` USD is worth after `split`, with the six decimals that prices are kept with."""
    return round(price * split.ratio.denominator / split.ratio.numerator, _PRICE_DECIMALS)


def paid_in_lieu(held: Decimal, split: CorporateAction) -> Decimal | None:
    """About what the broker pays for the fraction that `split` leaves, USD; None without a price, zero without one."""
    exact = Fraction(held) * split.ratio
    rest = exact - int(exact)
    if not rest:
        return Decimal("0.00")
    if split.close_before is None:
        return None
    return to_cents(new_price(split.close_before, split) * rest.numerator / rest.denominator)


def splits_on(actions: Iterable[CorporateAction], session: date) -> dict[str, CorporateAction]:
    """The splits whose ex-session is `session`, by symbol."""
    return {a.symbol: a for a in actions if a.kind is ActionKind.SPLIT and a.ex_session == session}


def frozen_by_splits(actions: Iterable[CorporateAction], session: date) -> dict[str, str]:
    """Names that split before orders for `session` would trade, each with its coded reason.

    A number of shares decided before would be another one then.
    """
    return {symbol: f"CORPORATE_ACTION: {split}" for symbol, split in splits_on(actions, session).items()}
