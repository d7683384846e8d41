"""What a trade in US stocks costs.

The schedules that Interactive Brokers publishes under Pricing, Commissions, Stocks, ETFs and Warrants, United States
(interactivebrokers.com/en/pricing/commissions-stocks.php), for whole shares routed by SMART:

- fixed: 0.005 USD a share, at least 1.00 USD an order;
- tiered: 0.0035 USD a share and less from 300,000 shares a calendar month on, at least 0.35 USD an order. Volumes are
  counted once a day, so a lower rate begins with the session after the one that passed its threshold.

Both cost at most 1 % of the trade value; the maximum wins over the minimum. Minimum and maximum are per order, and an
order that persists overnight counts as a new one. Left out: regulatory fees, which both schedules pass on, and the
exchange, clearing and pass-through fees and rebates of the tiered one.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

CENT = Decimal("0.01")

PER_SHARE_USD = Decimal("0.005")
MINIMUM_USD = Decimal("1.00")
TIERED_MINIMUM_USD = Decimal("0.35")
MAXIMUM_FRACTION = Decimal("0.01")
_TIERS = (
    (300_000, Decimal("0.0035")),
    (3_000_000, Decimal("0.0020")),
    (20_000_000, Decimal("0.0015")),
    (100_000_000, Decimal("0.0010")),
)
_HIGHEST_TIER_USD = Decimal("0.0005")


class Schedule(StrEnum):
    """Which of the two an account pays by."""

    FIXED = "fixed"
    TIERED = "tiered"


def to_cents(amount: Decimal) -> Decimal:
    """`amount` in USD rounded half up to whole cents."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def ibkr_fixed(shares: int, price: Decimal) -> Decimal:
    """Fixed commission in USD, in whole cents, of one order of `shares` at `price` USD."""
    return commission(Schedule.FIXED, abs(shares), abs(shares) * price)


def commission(schedule: Schedule, shares: int, value: Decimal, month_shares: int = 0) -> Decimal:
    """Commission in USD, in whole cents, of what one order traded in one session.

    Of several fills, ask for their sum, and take off what was charged before.

    Args:
        shares: traded, not negative.
        value: of the trade, in USD.
        month_shares: the account traded in earlier sessions of the calendar month; matters for the tiered schedule.
    """
    if schedule is Schedule.FIXED:
        charge = max(shares * PER_SHARE_USD, MINIMUM_USD)
    else:
        charge = max(shares * _tiered_rate(month_shares), TIERED_MINIMUM_USD)
    return to_cents(min(charge, value * MAXIMUM_FRACTION))


def _tiered_rate(month_shares: int) -> Decimal:
    return next((rate for limit, rate in _TIERS if month_shares <= limit), _HIGHEST_TIER_USD)
