"""What an order would do to the account: the answer to a what-if order, which is not kept."""

from __future__ import annotations

from hrp.gateway import orderreplies as says
from hrp.gateway.books import Books
from hrp.gateway.records import Order, Side
from hrp.gateway.wire import Fields, Value


def what_if(books: Books, draft: Order) -> list[Fields]:
    """Two messages, the first without and the second with the numbers.

    Margins and equity are in the base currency, the commission is in USD. `draft` has an estimate of its price.
    """
    now = books.valuation()
    commission = books.commission(draft.quantity, draft.quantity * draft.estimate, draft.session)
    margin, equity = now.positions_value, now.net_liquidation
    change = draft.reserved if draft.side is Side.BUY else -draft.reserved
    margins = {"before": margin, "change": change, "after": margin + change}
    equities = {"before": equity, "change": -commission, "after": equity - commission}
    state: dict[str, Value] = {
        f"{kind}_{when}": now.in_base(amount)
        for kind, amounts in (("init_margin", margins), ("maint_margin", margins), ("equity_with_loan", equities))
        for when, amount in amounts.items()
    }
    state |= {"min_commission": commission, "max_commission": commission, "commission_currency": "USD"}
    return [says.open_order(books.account, draft), says.open_order(books.account, draft, **state)]
