"""Which strategies trade, and how much of the account each may use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hrp.api.deployments import record_retirement
from hrp.data import models as store_models
from hrp.domain.deployment import HypothesisStatus, Strategy
from hrp.errors import ConfigError, ModelNotFoundError
from hrp.wiring import App


def deployed(app: App) -> list[Strategy]:
    """The strategies that trade."""
    with app.store().read() as con:
        return store_models.load_strategies(con, HypothesisStatus.DEPLOYED)


def create_hypothesis(app: App, title: str, model_name: str, allocation: Decimal) -> Strategy:
    """A new draft that names its model."""
    with app.store().write() as con:
        name = store_models.new_hypothesis_id(con, app.clock.now().year)
        strategy = Strategy(name, title, model_name, HypothesisStatus.DRAFT, allocation, app.settings.universe)
        store_models.save_strategy(con, strategy)
    return strategy


def fitting_share(app: App, model_name: str, allocation: Decimal | None) -> Decimal:
    """The fraction of net liquidation that a model's strategy gets: what is asked for, what it has, or the rest.

    Raises:
        ConfigError: it is not above 0, or the deployed strategies would use more than everything.
    """
    known = _strategy_of(app, model_name)
    others = [strategy for strategy in deployed(app) if strategy.model_name != model_name]
    left = 1 - sum((strategy.allocation for strategy in others), Decimal(0))
    share = allocation if allocation is not None else known.allocation if known else left
    if not 0 < share <= left:
        taken = ", ".join(f"{strategy.model_name} {strategy.allocation:.0%}" for strategy in others) or "nothing"
        raise ConfigError(
            f"an allocation of {share:.0%} for {model_name} does not fit: {taken} is allocated, {left:.0%} is left; "
            "lower another: hrp models allocate MODEL FRACTION"
        )
    return share


def deploy_strategy(app: App, model_name: str, title: str, allocation: Decimal | None = None) -> Strategy:
    """The deployed strategy of a model: the one it has, set to deployed, or a new one called `title`.

    Raises:
        ConfigError: see `fitting_share`.
    """
    share = fitting_share(app, model_name, allocation)
    strategy = _strategy_of(app, model_name) or create_hypothesis(app, title, model_name, share)
    return _save_strategy(app, replace(strategy, status=HypothesisStatus.DEPLOYED, allocation=share))


def allocate(app: App, model_name: str, allocation: Decimal) -> Strategy:
    """Change what a deployed strategy may use.

    Raises:
        ModelNotFoundError: no deployed strategy trades the model.
        ConfigError: see `fitting_share`.
    """
    strategy = _require_deployed(app, model_name)
    return _save_strategy(app, replace(strategy, allocation=fitting_share(app, model_name, allocation)))


def retire(app: App, model_name: str, *, session: date, actor: str, reason: str) -> Strategy:
    """Stop trading a model: nothing is predicted for it; names that no other strategy predicts stay as they are.

    Raises:
        ModelNotFoundError: no deployed strategy trades it.
    """
    strategy = _require_deployed(app, model_name)
    record_retirement(app, model_name, session=session, actor=actor, reason=reason)
    return _save_strategy(app, replace(strategy, status=HypothesisStatus.VALIDATED))


def _strategy_of(app: App, model_name: str) -> Strategy | None:
    with app.store().read() as con:
        return next((s for s in store_models.load_strategies(con) if s.model_name == model_name), None)


def _require_deployed(app: App, model_name: str) -> Strategy:
    found = next((strategy for strategy in deployed(app) if strategy.model_name == model_name), None)
    if found is None:
        raise ModelNotFoundError(f"no deployed strategy trades {model_name}; see: hrp status")
    return found


def _save_strategy(app: App, strategy: Strategy) -> Strategy:
    with app.store().write() as con:
        store_models.save_strategy(con, strategy)
    return strategy
