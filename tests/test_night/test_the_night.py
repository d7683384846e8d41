"""The night as specification: what is sent, once, whatever happens."""

from __future__ import annotations

from collections.abc import Callable

from .conftest import BEFORE
from .market import D1
from .workspace import DONE, SEND, Night


def test_the_first_real_run_sends_the_plan_and_the_second_run_sends_nothing(trading: Callable[..., Night]) -> None:
    night = trading(BEFORE)

    first = night.run("nightly", *SEND)

    sent = night.place_orders_sent()
    assert first.code == DONE
    assert sorted(sent) == sorted(row[-1] for row in first.job("live-trader")["orders"])
    assert len(sent) == 6

    again = night.run("nightly", *SEND)

    assert (again.code, again.job("live-trader")["status"]) == (DONE, "nothing_to_do")
    assert night.place_orders_sent() == sent
    assert D1
