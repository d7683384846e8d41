"""Cash that corporate actions bring: which of them a difference in cash can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from hrp.domain.book import AdjustmentKind
from hrp.domain.commission import to_cents
from hrp.domain.corporate_actions import ActionKind, CorporateAction, after_split, paid_in_lieu
from hrp.domain.lineage import plain

_IN_LIEU_SLACK = Decimal("0.25")  # of its worth at the close before: the broker sells fractions at its own time
_MOST = 12  # candidates that are tried in every combination


@dataclass(frozen=True, slots=True)
class Payment:
    """What an action may bring: about `usd`, give or take `slack`. `split`: what must be in the book before it."""

    action: CorporateAction
    kind: AdjustmentKind
    about: str
    evidence: str
    usd: Decimal
    slack: Decimal = Decimal(0)
    split: str | None = None


def candidates(
    actions: Sequence[CorporateAction], held_before: Callable[[CorporateAction], Mapping[str, Decimal]]
) -> list[Payment]:
    """Every payment that `actions` bring on the shares held before each, oldest first."""
    found = (_payment(action, held_before(action).get(action.symbol, Decimal(0))) for action in actions)
    return [payment for payment in found if payment is not None]


def _payment(action: CorporateAction, held: Decimal) -> Payment | None:
    if action.kind is ActionKind.DIVIDEND:
        usd = to_cents(held * action.value)
        evidence = f"{action}: {plain(usd)} USD on {plain(held)} shares"
        return Payment(action, AdjustmentKind.DIVIDEND, action.about, evidence, usd) if usd else None
    worth = paid_in_lieu(held, action)
    if not worth:
        return None
    evidence = f"{action}: a fraction of a share paid in cash, worth about {plain(worth)} USD"
    about, slack = f"in-lieu:{action.about}", abs(worth) * _IN_LIEU_SLACK
    moved = after_split(held, action)[0] != held  # a split may leave as many whole shares as there were
    return Payment(
        action, AdjustmentKind.SPLIT, about, evidence, worth, slack, split=action.about if moved else None
    )  # fmt: skip


def paid_by(difference: Decimal, payments: Sequence[Payment], tolerance: Decimal) -> list[tuple[Payment, Decimal]]:
    """The fewest of `payments` that come to `difference` within `tolerance`, each with its USD; empty if none do.

    The last of them takes up what is left within the tolerance, so that the amounts add up to `difference`.
    """
    newest = payments[-_MOST:]
    for size in range(1, len(newest) + 1):
        best = min(combinations(newest, size), key=lambda chosen: _misses(difference, chosen))
        if _misses(difference, best) <= tolerance:
            *exact, last = sorted(best, key=lambda payment: payment.slack)
            rest = difference - sum((payment.usd for payment in exact), Decimal(0))
            return [*((payment, payment.usd) for payment in exact), (last, rest)]
    return []


def _misses(difference: Decimal, chosen: Sequence[Payment]) -> Decimal:
    """USD by which `chosen` miss `difference`, beyond what their slack allows."""
    expected = sum((payment.usd for payment in chosen), Decimal(0))
    return abs(difference - expected) - sum((payment.slack for payment in chosen), Decimal(0))
