"""What a trade in US stocks costs."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")

PER_SHARE_USD = Decimal("0.005")
MINIMUM_USD = Decimal("1.00")
MAXIMUM_FRACTION = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """`amount` in USD rounded half up to whole cents."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def ibkr_fixed(shares: int, price: Decimal) -> Decimal:
    """Commission in USD, in whole cents, of one order of `shares` at `price` USD.

    The fixed schedule that Interactive Brokers publishes for US stocks: 0.005 USD a share, at least 1.00 USD an
    order, at most 1 % of the trade value (the maximum wins over the minimum). Exchange and regulatory fees, which
    the fixed schedule passes on for sales, are not included.
    """
    value = abs(shares) * price
    charge = max(abs(shares) * PER_SHARE_USD, MINIMUM_USD)
    return to_cents(min(charge, value * MAXIMUM_FRACTION))
