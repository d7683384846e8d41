"""Several strategies share one account: what each may use, and what stops one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from workspaces import MODEL, finished_workspace

from hrp.api.decision import target_weights
from hrp.api.strategies import deploy_strategy, deployed
from hrp.domain.deployment import HypothesisStatus
from hrp.errors import ConfigError
from hrp.wiring import App

D = Decimal


@pytest.fixture
def app(tmp_path: Path) -> App:
    """One strategy trades MODEL with all of the account."""
    return finished_workspace(tmp_path / "home").app


def allocations(app: App) -> dict[str, Decimal]:
    return {strategy.model_name: strategy.allocation for strategy in deployed(app)}


def test_deploying_again_keeps_the_allocation_and_the_identity(app: App):
    before = deployed(app)
    deploy_strategy(app, MODEL, "another title")
    assert deployed(app) == before


def test_a_second_strategy_does_not_fit_while_the_first_has_everything(app: App):
    with pytest.raises(
        ConfigError, match=r"0% for value does not fit: core-ridge 100% is allocated, 0% is left; lower"
    ):
        deploy_strategy(app, "value", "cheap names")
    assert allocations(app) == {MODEL: D(1)}


def test_a_second_strategy_takes_what_is_left(app: App):
    deploy_strategy(app, MODEL, "", D("0.6"))
    second = deploy_strategy(app, "value", "cheap names")
    assert allocations(app) == {MODEL: D("0.6"), "value": D("0.4")}
    assert (second.hypothesis_id, second.status) == ("HYP-2022-002", HypothesisStatus.DEPLOYED)


@pytest.mark.parametrize("share", ["0", "-0.1", "1.01"])
def test_an_allocation_is_a_fraction_of_what_there_is(app: App, share: str):
    with pytest.raises(ConfigError, match="does not fit"):
        deploy_strategy(app, MODEL, "", D(share))


def test_the_best_names_are_held_when_more_are_chosen_than_may_be_held(app: App):
    settings = app.settings.model_copy(update={"top_pct": 1.0, "max_positions": 2})
    assert set(target_weights({"AAPL": 0.1, "MSFT": 0.3, "XOM": 0.2}, settings)) == {"MSFT", "XOM"}
