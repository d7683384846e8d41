"""The ledger of deployments: which version trades, where to go back to, whether new buys are frozen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrp.domain.deployment import (
    Deployment,
    DeploymentAction,
    DeploymentState,
    ModelVersion,
    champion_by_ledger,
    is_frozen,
    previous_good,
)

A, INTENT, DONE = DeploymentAction, DeploymentState.INTENT, DeploymentState.DONE
START = datetime(2022, 3, 11, 22, tzinfo=UTC)


def ledger(*lines: str) -> list[Deployment]:
    """A ledger written as `promote 1>2`, `rollback 2>1 intent`, `freeze`; a version that is absent is `-`."""
    return [entry(minute, *line.split()) for minute, line in enumerate(lines)]


def entry(minute: int, action: str, move: str = "->-", state: str = "done") -> Deployment:
    before, _, after = move.rpartition(">")
    return Deployment(
        model_name="momentum",
        action=A(action),
        state=DeploymentState(state),
        from_version=None if before == "-" else int(before),
        to_version=None if after == "-" else int(after),
        artifact_sha256="",
        session=date(2022, 3, 11),
        actor="researcher",
        reason="",
        at=START + timedelta(minutes=minute),
    )


UP_TO_3 = ("promote ->1", "promote 1>2", "promote 2>3")


@pytest.mark.parametrize(
    ("lines", "champion"),
    [
        ((), None),
        (("promote ->1 intent",), None),  # the alias may or may not have moved
        (("promote ->1 intent", "promote ->1"), 1),
        (("promote ->1", "promote 1>2 intent"), 1),
        (UP_TO_3, 3),
        ((*UP_TO_3, "rollback 3>2 intent"), 3),
        ((*UP_TO_3, "rollback 3>2 intent", "rollback 3>2"), 2),
        ((*UP_TO_3, "refuse 3>4"), 3),
        ((*UP_TO_3, "freeze 3>3"), 3),
        ((*UP_TO_3, "freeze 3>3", "unfreeze 3>3"), 3),
        (("refuse ->1",), None),
    ],
)
def test_the_champion_is_the_newest_completed_move(lines: tuple[str, ...], champion: int | None) -> None:
    found = champion_by_ledger(ledger(*lines))

    assert (found and found.to_version) == champion


@pytest.mark.parametrize(
    ("lines", "good"),
    [
        ((), None),
        (("promote ->1",), None),  # nothing came before
        (("promote ->1", "promote 1>2"), 1),
        (UP_TO_3, 2),
        ((*UP_TO_3, "rollback 3>2"), 1),  # 3 failed, and 2 is where we are
        ((*UP_TO_3, "rollback 3>2", "rollback 2>1"), None),  # neither 3 nor 2 again
        ((*UP_TO_3, "rollback 3>2", "promote 2>4"), 2),
        ((*UP_TO_3, "rollback 3>2", "promote 2>4", "rollback 4>2"), 1),
        ((*UP_TO_3, "rollback 3>2", "promote 2>3"), 2),  # 3 got another chance
        ((*UP_TO_3, "rollback 3>2", "promote 2>3", "promote 3>4"), 2),  # but is not what one goes back to
        ((*UP_TO_3, "rollback 3>2 intent"), 2),  # not rolled back yet
        ((*UP_TO_3, "promote 3>3"), 2),  # promoted again to lift a freeze
        ((*UP_TO_3, "refuse 3>4", "freeze 3>3"), 2),
        (("promote ->1", "promote 1>2 intent", "promote 1>3"), 1),  # 2 never traded
        (("promote ->7", "promote 7>3"), 7),  # by what traded before, not by number
    ],
)
def test_the_version_to_go_back_to(lines: tuple[str, ...], good: int | None) -> None:
    assert previous_good(ledger(*lines)) == good


def test_rolling_back_again_and_again_never_returns_to_a_version() -> None:
    lines, seen = [*UP_TO_3], [3]
    while (target := previous_good(ledger(*lines))) is not None:
        lines.append(f"rollback {seen[-1]}>{target}")
        seen.append(target)

    assert seen == [3, 2, 1]


@given(
    st.lists(st.tuples(st.sampled_from(["promote", "rollback", "refuse", "freeze"]), st.integers(1, 5), st.booleans()))
)
def test_the_version_to_go_back_to_has_traded_was_never_rolled_back_and_is_not_the_present_one(
    moves: list[tuple[str, int, bool]],
) -> None:
    lines, current = [], "-"
    for action, version, done in moves:
        lines.append(f"{action} {current}>{version} {'done' if done else 'intent'}")
        if done and action in ("promote", "rollback"):
            current = str(version)
    history = ledger(*lines)
    done_moves = [line for line in history if line.state is DONE]

    good = previous_good(history)

    if good is not None:
        assert good in {line.to_version for line in done_moves if line.action in (A.PROMOTE, A.ROLLBACK)}
        assert good not in {line.from_version for line in done_moves if line.action is A.ROLLBACK}
        assert str(good) != current


@pytest.mark.parametrize(
    ("lines", "frozen"),
    [
        ((), False),
        (UP_TO_3, False),
        ((*UP_TO_3, "freeze 3>3"), True),
        ((*UP_TO_3, "freeze 3>3", "unfreeze 3>3"), False),
        ((*UP_TO_3, "freeze 3>3", "promote 3>4"), False),
        ((*UP_TO_3, "freeze 3>3", "rollback 3>2"), False),
        ((*UP_TO_3, "freeze 3>3", "promote 3>4 intent"), True),
        ((*UP_TO_3, "freeze 3>3", "refuse 3>4"), True),
        ((*UP_TO_3, "freeze 3>3", "retire 3>-"), True),
        ((*UP_TO_3, "freeze 3>3 intent"), False),
        ((*UP_TO_3, "freeze 3>3", "unfreeze 3>3", "freeze 3>3"), True),
    ],
)
def test_a_freeze_holds_until_it_is_lifted_or_another_version_moves_in(lines: tuple[str, ...], frozen: bool) -> None:
    assert is_frozen(ledger(*lines)) is frozen


def test_a_version_is_called_by_its_model_and_number() -> None:
    version = ModelVersion("momentum", 3, "run", "sha", "daily-v1", ("mom_20",), date(2022, 3, 11))

    assert version.label == "momentum v3"
