"""A past decision, made again from what was known then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import pandas as pd

from hrp.api import inference
from hrp.api.decision import Night
from hrp.api.told import Told, decide, load_told
from hrp.data import models as store_models
from hrp.data import orders as store_orders
from hrp.domain.deployment import Strategy
from hrp.domain.lineage import canonical
from hrp.errors import RequirementNotMetError
from hrp.ml.inference import predict
from hrp.wiring import App


@dataclass(frozen=True, slots=True)
class Redecision:
    """A stored plan and the same decision made again, both as the text that is hashed.

    `changed`: for each strategy the names whose prediction is not the stored one, to the last bit.
    """

    session: date
    account: str
    stored: str
    made: str
    changed: Mapping[str, tuple[str, ...]]

    @property
    def same(self) -> bool:
        """True if everything is as it was, byte for byte."""
        return self.stored == self.made and not any(self.changed.values())


def replay_decision(app: App, session: date, *, as_now: bool = False) -> Redecision:
    """The decision of a past night made again: features, predictions and plan, nothing taken from what it stored.

    Bars, actions, membership and listings are those that were known then, or with `as_now` those that are known now;
    models are the versions that predicted; what the broker and the operator had said comes from the plan.

    Raises:
        RequirementNotMetError: no plan with its inputs is stored for the session, or its bars are not.
        ModelError: a version is gone or its files were changed.
    """
    account = app.settings.require_account()
    with app.store().read() as con:
        record = store_orders.load_plan_record(con, session, account)
        told = load_told(con, session, account)
    if record is None or told is None:
        raise RequirementNotMetError(
            f"no plan of session {session} for {account} is stored with what it was made from; see which sessions "
            "have orders: hrp orders"
        )
    then = replace(app, settings=told.settings(app.settings))
    features = inference.features_of(
        then, session, None if as_now else told.features_known_by, left_out=told.quarantined
    )
    nights = [_night(then, name, told, features, session) for name in sorted(told.strategies)]
    changed = {night.strategy.hypothesis_id: _changed(then, night, session) for night in nights}
    known_by: datetime | None = None if as_now else told.known_by
    with app.store().read() as con:
        made = decide(con, told, nights, then.settings, known_by)
    return Redecision(session, account, canonical(record), canonical(made.as_record()), changed)


def _night(app: App, name: str, told: Told, features: pd.DataFrame, session: date) -> Night:
    brought = told.strategies[name]
    loaded = app.registry().load(app.registry().version(brought.model_name, brought.model_version))
    predictions = {str(symbol): float(value) for symbol, value in predict(loaded, features, session).items()}
    strategy = Strategy(name, name, brought.model_name, allocation=brought.allocation)
    return Night(strategy, brought.model_version, predictions, brought.held_back)


def _changed(app: App, night: Night, session: date) -> tuple[str, ...]:
    with app.store().read() as con:
        stored = store_models.load_predictions(con, session, night.strategy.hypothesis_id, night.model_version)
    before = dict(zip(stored["symbol"], stored["prediction"], strict=True))
    names = sorted({*before, *night.predictions})
    return tuple(symbol for symbol in names if before.get(symbol) != night.predictions.get(symbol))
