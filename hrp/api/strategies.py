"""Which strategies trade, and how much of the account each may use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hrp.api import hypotheses
from hrp.api.deployments import ledger, record_retirement
from hrp.data import models as store_models
from hrp.domain.deployment import HypothesisStatus, Strategy, champion_by_ledger
from hrp.domain.hypothesis import HypothesisAction, of_model
from hrp.errors import ConfigError, ModelNotFoundError
from hrp.wiring import App


def deployed(app: App) -> list[Strategy]:
    """The strategies that trade."""
    with app.store().read() as con:
        return store_models.load_strategies(con, HypothesisStatus.DEPLOYED)


def fitting_share(app: App, model_name: str, allocation: Decimal | None) -> Decimal:
    """The fraction of net liquidation that a model's strategy gets: what is asked for, what it has, or the rest.

    Raises:
        ConfigError: it is not above 0, or the deployed strategies would use more than everything.
    """
    known = _of_model(app, model_name)
    traded = known is not None and known.status in (HypothesisStatus.DEPLOYED, HypothesisStatus.RETIRED)
    others = [strategy for strategy in deployed(app) if strategy.model_name != model_name]
    left = 1 - sum((strategy.allocation for strategy in others), Decimal(0))
    share = allocation if allocation is not None else known.allocation if known and traded else left
    if not 0 < share <= left:
        taken = ", ".join(f"{strategy.model_name} {strategy.allocation:.0%}" for strategy in others) or "nothing"
        raise ConfigError(
            f"an allocation of {share:.0%} for {model_name} does not fit: {taken} is allocated, {left:.0%} is left; "
            "lower another: hrp models allocate MODEL FRACTION"
        )
    return share


def deploy_strategy(app: App, model_name: str, title: str, allocation: Decimal | None = None) -> Strategy:
    """The deployed strategy of a model: the hypothesis it has, deployed, or a new one called `title`.

    Its evidence is that of the gate: the line of the deployments ledger that made the model's version champion.

    Raises:
        ConfigError: see `fitting_share`.
        HypothesisError: the model's hypothesis is not validated.
    """
    share = fitting_share(app, model_name, allocation)
    known, deployed_now = _of_model(app, model_name), HypothesisStatus.DEPLOYED
    if known and known.status is deployed_now:
        return _save_strategy(app, replace(known, allocation=share))
    strategy = known or hypotheses.new_strategy(app, title, model_name, deployed_now)
    champion = champion_by_ledger(ledger(app, model_name))
    return hypotheses.record(
        app,
        replace(strategy, status=deployed_now, allocation=share),
        HypothesisAction.DEPLOY,
        actor=champion.actor if champion else "operator",
        reason=champion.reason if champion else title,
        evidence={"version": champion.to_version, "artifact_sha256": champion.artifact_sha256} if champion else {},
        new=known is None,
    )


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
    strategy = replace(_require_deployed(app, model_name), status=HypothesisStatus.RETIRED)
    record_retirement(app, model_name, session=session, actor=actor, reason=reason)
    return hypotheses.record(app, strategy, HypothesisAction.RETIRE, actor=actor, reason=reason)


def retire_hypothesis(app: App, hypothesis_id: str, *, session: date, actor: str, reason: str) -> Strategy:
    """The end of a hypothesis that held: one that trades stops trading, see `retire`.

    Raises:
        HypothesisError: it was not validated.
    """
    strategy = hypotheses.find(app, hypothesis_id)[0]
    if strategy.status is HypothesisStatus.DEPLOYED:
        return retire(app, strategy.model_name, session=session, actor=actor, reason=reason)
    retired = replace(strategy, status=HypothesisStatus.RETIRED)
    return hypotheses.record(app, retired, HypothesisAction.RETIRE, actor=actor, reason=reason)


def _of_model(app: App, model_name: str) -> Strategy | None:
    with app.store().read() as con:
        return of_model(store_models.load_strategies(con), model_name)


def _require_deployed(app: App, model_name: str) -> Strategy:
    found = next((strategy for strategy in deployed(app) if strategy.model_name == model_name), None)
    if found is None:
        raise ModelNotFoundError(f"no deployed strategy trades {model_name}; see: hrp status")
    return found


def _save_strategy(app: App, strategy: Strategy) -> Strategy:
    with app.store().write() as con:
        store_models.save_strategy(con, strategy)
    return strategy
