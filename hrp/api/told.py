"""What a night is told besides bars, actions and models, and the decision that it makes of all of it.

A night writes down what it was told with its plan. So the decision can be made again later, from the prices, actions
and models that were known then, and must come out the same to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from hrp.api.decision import Night, blended, no_buys, predictions_of
from hrp.config import Settings
from hrp.data import market
from hrp.data import orders as store_orders
from hrp.data.rows import Connection
from hrp.domain.corporate_actions import frozen_by_splits
from hrp.domain.plan import Plan
from hrp.domain.portfolio import Limits
from hrp.domain.rebalance import PlanInputs, build_plan


@dataclass(frozen=True, slots=True)
class Brought:
    """A strategy in a night, without its predictions; `held_back` as in `hrp.api.decision.Night`."""

    model_name: str
    model_version: int
    allocation: Decimal
    held_back: str


@dataclass(frozen=True, slots=True)
class Told:
    """Everything but bars, actions and models that the decision of a night depends on.

    `known_by` is the instant of the decision, `features_known_by` that of the features behind its predictions; what
    was stored later, they did not see. `given` has no weights, predictions and prices yet; its `frozen` and `no_buys`
    are those of locks and of the quality gate, whose names are `quarantined`.
    """

    known_by: datetime
    features_known_by: datetime
    universe: str
    feature_set: str
    top_pct: float
    limits: Limits
    strategies: Mapping[str, Brought]
    quarantined: Mapping[str, str]
    given: PlanInputs

    def as_record(self) -> dict[str, Any]:
        """Plain values, in JSON's types."""
        record: dict[str, Any] = _form().dump_python(self, mode="json")
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Told:
        """What `as_record` gave."""
        told: Told = _form().validate_python(record)
        return told

    def settings(self, settings: Settings) -> Settings:
        """`settings` with those of that night, as far as a decision depends on them."""
        then = {"top_pct": self.top_pct, "universe": self.universe, "feature_set": self.feature_set}
        return settings.model_copy(update={**asdict(self.limits), **then})


def load_told(con: Connection, session: date, account: str) -> Told | None:
    """What the plan of `session` for `account` was made from; None if there is none, or it was not written down."""
    record = store_orders.load_plan_inputs(con, session, account)
    return None if record is None else Told.from_record(record)


@cache
def _form() -> TypeAdapter[Told]:
    return TypeAdapter(Told)


def decide(con: Connection, told: Told, nights: Sequence[Night], settings: Settings, known_by: datetime | None) -> Plan:
    """The plan of what `nights` predict, at the closes and with the splits that were known by `known_by`.

    Args:
        known_by: None for what is known now.
    """
    given, weights = told.given, blended(nights, settings)
    names = sorted({*weights, *given.held, *given.working})
    closes = market.load_closes(con, names, given.session, known_by)
    actions = market.actions_of(con, names, given.for_session, given.for_session, known_by)
    inputs = replace(
        given,
        weights=weights,
        predictions=predictions_of(nights),
        prices=closes,
        frozen={**frozen_by_splits(actions, given.for_session), **given.frozen},
        no_buys={**no_buys(nights), **given.no_buys},
    )
    return replace(build_plan(inputs, settings.limits()), inputs=told.as_record())
