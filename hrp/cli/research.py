"""hrp train, hrp backtest, and hrp research: a hypothesis from its test to its retirement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrp.agents.options import AsJson, DryAct, EnvFile, parse_day
from hrp.cli.output import print_table, say, say_json, say_rows

if TYPE_CHECKING:
    from hrp.domain.deployment import Strategy
    from hrp.domain.hypothesis import Criterion, HypothesisEvent, Life, Look

app = typer.Typer(
    help="Hypotheses: write, test, validate, retire; what a run is worth.", no_args_is_help=True, rich_markup_mode=None
)

ACTOR = "researcher"
Name = Annotated[str, typer.Argument(metavar="MODEL", help="Name in the registry.")]
Id = Annotated[str, typer.Argument(metavar="HYPOTHESIS", help="Such as HYP-2026-001.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written to the history.")]
From = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First session.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(train)
    app.command()(backtest)


def train(
    model: Name,
    through: Annotated[str | None, typer.Option("--through", metavar="YYYY-MM-DD", help="Default: newest.")] = None,
    first: From = None,
    tried: Annotated[
        list[str] | None,
        typer.Option("--try", metavar="NAME=VALUE,VALUE", help="Values of a parameter to search first; repeat it."),
    ] = None,
    draws: Annotated[int | None, typer.Option("--draws", help="How many of their combinations. Default: all.")] = None,
    final_look: Annotated[
        bool, typer.Option("--final-look", help="Then evaluate it on the sessions that its hypothesis holds out.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why another look; it counts as a further trial.")] = "",
    page: Annotated[bool, typer.Option("--tearsheet/--no-tearsheet", help="Write its tear sheet.")] = True,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Train a version and register it as challenger. It is validated by purged walk-forward.

    A search tries every value of --try by the same walk-forward; the best is trained, and its trials count against it.
    While a hypothesis about the model is being tested, the sessions that it holds out are left out.
    """
    from hrp.agents.runner import claimed
    from hrp.api import hypotheses
    from hrp.api.platform import PlatformAPI
    from hrp.api.tearsheets import write_tearsheet
    from hrp.wiring import build

    api, look = PlatformAPI(build(env_file)), None
    with claimed(api.app, f"train {model}"):
        tested = hypotheses.require_look(api.app, model, reason) if final_look else None
        day = parse_day(through) or api.today()
        version = api.train_model(model, day, parse_day(first), _space(tried or []), draws)
        if tested:
            look = hypotheses.take_look(api.app, version, actor=ACTOR, reason=reason)
        sheet = write_tearsheet(api.app, version) if page else None
    seen = dict(look.metrics) if look else {}
    if as_json:
        facts = {"model": model, "version": version.version, "run_id": version.run_id, "metrics": dict(version.metrics)}
        say_json({**facts, "held_out": seen, "tearsheet": sheet})
        return
    print(f"{version.label}, trained through {version.trained_through}, is challenger")
    if sheet:
        print(f"tear sheet: {sheet}")
    if tested:
        held_out = [[name, value, seen.get(name)] for name, value in version.metrics.items()]
        print_table(["metric", "walk-forward", "held out"], held_out)
        print(f"\nnext: hrp research validate {tested.hypothesis_id}")
    else:
        print_table(["metric", "value"], [[name, value] for name, value in version.metrics.items()])
        print(f"\nnext: hrp models promote {model} {version.version}")


def _space(tried: Sequence[str]) -> dict[str, list[Any]]:
    """The values to try, by the name of the parameter; what is not JSON is text."""
    import json
    from contextlib import suppress

    from hrp.errors import UsageError

    space: dict[str, list[Any]] = {}
    for text in tried:
        name, _, values = text.partition("=")
        if not name or not values:
            raise UsageError(f"--try {text!r} names no values; write it as ridge__alpha=1,10,100")
        space[name] = values.split(",")
        for at, value in enumerate(space[name]):
            with suppress(json.JSONDecodeError):
                space[name][at] = json.loads(value)
    return space


def backtest(
    model: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the champion.")] = None,
    first: From = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last session.")] = None,
    cash: Annotated[str, typer.Option("--cash", help="USD to begin with.")] = "1000000.00",
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Backtest a version out of sample. The decision function is the night's own."""
    from decimal import Decimal, InvalidOperation

    from hrp.api.platform import PlatformAPI
    from hrp.domain.sessions import FIRST_SESSION
    from hrp.errors import UsageError
    from hrp.wiring import build

    try:
        money = Decimal(cash)
    except InvalidOperation as error:
        raise UsageError(f"--cash {cash!r} is not an amount; write it as 1000000.00") from error
    api = PlatformAPI(build(env_file))
    start, end = parse_day(first) or FIRST_SESSION, parse_day(last) or api.today()
    result = api.run_backtest(model, version, start, end, money)
    if as_json:
        say_json({"stats": dict(result.stats), "equity": {str(day)[:10]: usd for day, usd in result.equity.items()}})
        return
    days = [str(day)[:10] for day in result.equity.index]
    ended = result.equity.iloc[-1]
    print(f"backtest of {model}: {days[0]} to {days[-1]}, {len(days)} sessions, {money:,.2f} to {ended:,.2f} USD")
    print_table(["figure", "value"], [[name, value] for name, value in result.stats.items()])


@app.command()
def new(
    model: Name,
    title: Annotated[str, typer.Option("--title", help="The hypothesis in one sentence.")],
    test: Annotated[
        list[str], typer.Option("--test", help="What must hold, such as 'rank_ic_low > 0'; repeat it for more.")
    ],
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Write a hypothesis about a model down, with the test that may refute it."""
    from hrp.agents.runner import by_hand
    from hrp.wiring import build

    with by_hand(build(env_file), f"hypothesis about {model}") as api:
        written = api.create_hypothesis(title, model, test, actor=ACTOR)
    text = f"{written.hypothesis_id} about {model} is a draft\nnext: hrp research test {written.hypothesis_id}"
    say(_facts(written), text, as_json=as_json)


@app.command("list")
def list_hypotheses(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Every hypothesis with its status and its test."""
    from hrp.api import hypotheses
    from hrp.domain.hypothesis import life_of
    from hrp.wiring import build

    rows = [
        {**_facts(strategy), "title": strategy.title, "test": _test(life := life_of(history)), "looks": len(life.looks)}
        for strategy, history in hypotheses.find_all(build(env_file))
    ]
    say_rows(rows, as_json=as_json, empty="there is no hypothesis; write one: hrp research new MODEL --title --test")


@app.command()
def show(hypothesis: Id, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """One hypothesis: its sealed test, the looks at its held-out sessions, its history."""
    from hrp.api import hypotheses
    from hrp.domain.hypothesis import life_of
    from hrp.wiring import build

    strategy, history = hypotheses.find(build(env_file), hypothesis)
    life = life_of(history)
    trial = life.trial
    facts = {
        **_facts(strategy),
        "title": strategy.title,
        "test": _test(life) or "none: deployed by hand",
        "sealed": f"{trial.seal[:12]} at {trial.began_at:%Y-%m-%d %H:%M}Z" if trial else "not yet",
        "held_out": f"{trial.held_out[0]} to {trial.held_out[1]}" if trial else "nothing yet",
        "looks": len(life.looks),
        "trials": life.looks[-1].trials if life.looks else 0,
    }
    looks = [_look(look, life.test) for look in life.looks]
    if as_json:
        say_json({**facts, "looks": looks, "history": [_line(event) for event in history]})
        return
    print_table(["what", "value"], [[name.replace("_", " "), str(value)] for name, value in facts.items()])
    print()
    say_rows(looks, as_json=False, empty="no look was taken at the held-out sessions", title="looks")
    print()
    brief = [{name: value for name, value in _line(event).items() if name != "evidence"} for event in history]
    say_rows(brief, as_json=False, empty="its history was not kept", title="history")


@app.command()
def test(
    hypothesis: Id,
    hold_out: Annotated[
        int, typer.Option("--hold-out", min=20, help="Newest sessions that no training touches.")
    ] = 252,
    reason: Why = "testing begins",
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Begin testing: the test is sealed, and the newest sessions are held out."""
    from hrp.agents.runner import by_hand
    from hrp.api import hypotheses
    from hrp.wiring import build

    with by_hand(build(env_file), f"test {hypothesis}", dry_run=dry_run) as api:
        moved = hypotheses.begin_testing(
            api.app, hypothesis, held_out_sessions=hold_out, actor=ACTOR, reason=reason
        )  # fmt: skip
    _say_moved(moved, f"train on what is left: hrp train {moved.model_name}", as_json=as_json, dry_run=dry_run)


@app.command()
def validate(
    hypothesis: Id,
    version: Annotated[int | None, typer.Option("--version", help="Default: the one looked at last.")] = None,
    reason: Why = "the evidence meets the test",
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Accept a version's evidence, if it meets the sealed test."""
    from hrp.agents.runner import by_hand
    from hrp.api import hypotheses
    from hrp.wiring import build

    with by_hand(build(env_file), f"validate {hypothesis}", dry_run=dry_run) as api:
        moved = hypotheses.validate(api.app, hypothesis, version, actor=ACTOR, reason=reason)
    _say_moved(moved, f"hrp models list {moved.model_name}", as_json=as_json, dry_run=dry_run)


@app.command()
def reject(
    hypothesis: Id, reason: Why, dry_run: DryAct = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """End a hypothesis that is refuted or given up."""
    from hrp.agents.runner import by_hand
    from hrp.api import hypotheses
    from hrp.wiring import build

    with by_hand(build(env_file), f"reject {hypothesis}", dry_run=dry_run) as api:
        moved = hypotheses.reject(api.app, hypothesis, actor=ACTOR, reason=reason)
    _say_moved(moved, "write another: hrp research new", as_json=as_json, dry_run=dry_run)


@app.command()
def retire(
    hypothesis: Id, reason: Why, dry_run: DryAct = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """End a validated hypothesis, or stop trading a deployed one as `hrp models retire` does."""
    from hrp.agents.runner import by_hand
    from hrp.api import strategies
    from hrp.wiring import build

    with by_hand(build(env_file), f"retire {hypothesis}", dry_run=dry_run) as api:
        moved = strategies.retire_hypothesis(
            api.app, hypothesis, session=api.today(), actor=ACTOR, reason=reason
        )  # fmt: skip
    _say_moved(moved, f"to deploy it again: hrp models promote {moved.model_name}", as_json=as_json, dry_run=dry_run)


@app.command()
def lookahead(
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="Its name.")],
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Ask whether a feature reads the future, or more of the past than it says."""
    from dataclasses import asdict

    from hrp.api.lookahead import check_feature
    from hrp.errors import EXIT_DONE, EXIT_FAILED
    from hrp.wiring import build

    verdict = check_feature(build(env_file), feature)
    say({**asdict(verdict), "honest": verdict.honest}, str(verdict), as_json=as_json)
    raise typer.Exit(EXIT_DONE if verdict.honest else EXIT_FAILED)


@app.command()
def tearsheet(
    model: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the newest.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Write one page about a version: its backtest after costs, its skill, its data, its trials."""
    from hrp.api.tearsheets import write_tearsheet
    from hrp.errors import ModelNotFoundError
    from hrp.wiring import build

    app_ = build(env_file)
    found = (
        app_.registry().version(model, version) if version else next(reversed(app_.registry().versions(model)), None)
    )
    if found is None:
        raise ModelNotFoundError(f"the registry has no version of {model}; train one: hrp train {model}")
    page = write_tearsheet(app_, found)
    say({"model": model, "version": found.version, "tearsheet": page}, f"{found.label}: {page}", as_json=as_json)


def _say_moved(strategy: Strategy, then: str, *, as_json: bool, dry_run: bool) -> None:
    verb = "would be" if dry_run else "is"
    text = f"{strategy.hypothesis_id} about {strategy.model_name} {verb} {strategy.status}\nnext: {then}"
    say(_facts(strategy), text, as_json=as_json)


def _facts(strategy: Strategy) -> dict[str, Any]:
    return {"hypothesis": strategy.hypothesis_id, "model": strategy.model_name, "status": str(strategy.status)}


def _test(life: Life) -> str:
    return ", ".join(map(str, life.test))


def _look(look: Look, test: Sequence[Criterion]) -> dict[str, Any]:
    """A look with what it showed of the metrics in the test."""
    asked = {criterion.metric: look.metrics.get(criterion.metric) for criterion in test}
    return {"version": look.version, "trials": look.trials, **asked}


def _line(event: HypothesisEvent) -> dict[str, Any]:
    return {
        "at": event.at, "action": str(event.action), "status": str(event.status), "actor": event.actor,
        "reason": event.reason, "evidence": dict(event.evidence),
    }  # fmt: skip
