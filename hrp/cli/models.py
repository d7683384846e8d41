"""hrp models: which versions there are, which one trades, and moving between them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import typer

from hrp.agents.options import AsJson, DryAct, EnvFile, Reason
from hrp.cli.output import print_table, say, say_json, say_rows

app = typer.Typer(help="Model versions: list, promote, roll back, freeze.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="Name in the registry.")]
ACTOR = "operator"


@app.command("list")
def list_versions(model: Name, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Every version with its walk-forward evidence and its alias."""
    from hrp.domain.deployment import CHALLENGER, CHAMPION
    from hrp.wiring import build

    registry = build(env_file).registry()
    aliases = {registry.alias(model, alias): alias for alias in (CHALLENGER, CHAMPION)}
    rows = [
        {
            "version": version.version,
            "alias": aliases.get(version.version, ""),
            "trained_through": version.trained_through,
            "mean_rank_ic": version.metrics.get("mean_rank_ic"),
            "rank_ic_tstat": version.metrics.get("rank_ic_tstat"),
            "features": len(version.features),
            "sha256": version.artifact_sha256[:12],
        }
        for version in registry.versions(model)
    ]
    say_rows(rows, as_json=as_json, empty=f"the registry has no version of {model}; train one: hrp train {model}")


@app.command()
def history(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only this model.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """The deployments ledger, the newest line first."""
    from hrp.cli.look import published
    from hrp.data import looks

    with published(env_file) as (_, con):
        lines = looks.ledger(con, model)
    rows = [{**line, "evidence": line["evidence"] if as_json else _in_brief(line["evidence"])} for line in lines]
    say_rows(rows, as_json=as_json, empty="the ledger is empty")


@app.command()
def show(
    model: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the champion, else the newest.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """One version: where it comes from, its metrics, and what the gate found when it was judged last."""
    from hrp.api.deployments import ledger
    from hrp.domain.deployment import CHAMPION
    from hrp.errors import ModelNotFoundError
    from hrp.wiring import build

    app_ = build(env_file)
    registry = app_.registry()
    known = registry.versions(model)
    if not known:
        raise ModelNotFoundError(f"the registry has no version of {model}; train one: hrp train {model}")
    found = registry.version(model, version or registry.alias(model, CHAMPION) or known[-1].version)
    judged = [line for line in ledger(app_, model) if line.to_version == found.version and line.evidence.get("checks")]
    facts = {
        "version": found.version, "run_id": found.run_id, "trained_through": found.trained_through,
        "feature_set": found.feature_set, "features": list(found.features), "sha256": found.artifact_sha256,
        "params": registry.params(found), "metrics": dict(found.metrics),
    }  # fmt: skip
    checks: Any = judged[-1].evidence["checks"] if judged else []
    if as_json:
        say_json({"model": model, **facts, "gate": checks, "judged_at": judged[-1].at if judged else None})
        return
    print_table(["what", "value"], [[name, _plain(value)] for name, value in facts.items()], found.label)
    print()
    if not judged:
        print(f"the gate has not judged {found.label}; see what it would say: hrp models promote --dry-run {model} N")
        return
    print(f"the gate, {judged[-1].at:%Y-%m-%d %H:%M}Z: {judged[-1].action}")
    _print_checks(checks)


@app.command()
def promote(
    model: Name,
    version: Annotated[int, typer.Argument(help="Version number.")],
    reason: Reason = "promoted by hand",
    title: Annotated[str, typer.Option("--strategy", help="Title of the strategy if the model has none yet.")] = "",
    allocation: Annotated[
        float | None,
        typer.Option("--allocation", help="Fraction of net liquidation; default: what it has, or the rest."),
    ] = None,
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Make a version champion if it passes the gate. Its strategy trades it from the next night on."""
    from hrp.agents.runner import by_hand
    from hrp.api import deployments, strategies
    from hrp.api.platform import PlatformAPI
    from hrp.domain.promotion import refusals
    from hrp.errors import EXIT_NOT_READY, PromotionRefusedError
    from hrp.wiring import build

    app_ = build(env_file)
    share = strategies.fitting_share(app_, model, _fraction(allocation))
    if dry_run:
        checks = PlatformAPI(app_).judge_version(model, version)
        reasons, rows = refusals(checks), [check.facts() for check in checks]
        verdict = f"would be refused: {'; '.join(reasons)}" if reasons else "passes the gate and would become champion"
        if not as_json:
            _print_checks(rows)
        facts = {"model": model, "version": version, "reasons": reasons, "gate": rows}
        say(facts, f"{model} v{version} {verdict}", as_json=as_json)
        raise typer.Exit(EXIT_NOT_READY if reasons else 0)
    with by_hand(app_, f"promote {model}") as api:
        try:
            entry = api.deploy_model(model, version, ACTOR, reason)
        except PromotionRefusedError:
            if not as_json:
                _print_checks(deployments.ledger(app_, model)[-1].evidence["checks"])
            raise
        strategy = strategies.deploy_strategy(api.app, model, title or model, share)
    text = (
        f"{model} v{entry.to_version} is champion; {strategy.hypothesis_id} ({strategy.title}) trades it with "
        f"{strategy.allocation:.0%} of the account"
    )
    say({"model": model, "version": entry.to_version, "strategy": strategy.hypothesis_id}, text, as_json=as_json)


@app.command()
def rollback(
    model: Name,
    to: Annotated[str, typer.Option("--to", help="previous, or a version number.")] = "previous",
    reason: Reason = "rolled back by hand",
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Go back to the previous good version, or a named one. Without one, new buys are frozen."""
    from hrp.agents.runner import by_hand
    from hrp.api import deployments
    from hrp.api.platform import PlatformAPI
    from hrp.domain.deployment import champion_by_ledger, previous_good
    from hrp.errors import UsageError
    from hrp.wiring import build

    if to != "previous" and not to.isdecimal():
        raise UsageError(f"--to {to!r} is neither 'previous' nor a version number; see: hrp models list {model}")
    api = PlatformAPI(build(env_file))
    version = None if to == "previous" else int(to)
    if dry_run:
        lines = deployments.ledger(api.app, model)
        current = champion_by_ledger(lines)
        target = previous_good(lines) if version is None else version
        act = f"would become v{target}" if target else "has no previous good version: new buys would be frozen"
        say(
            {"model": model, "to": target},
            f"champion of {model}, v{current and current.to_version}, {act}",
            as_json=as_json,
        )
        return
    with by_hand(api.app, f"rollback {model}"):
        entry = api.rollback_deployment(model, version, actor=ACTOR, reason=reason)
    text = f"{model} is back at v{entry.to_version}" if entry else f"{model} has no previous good version and is frozen"
    say({"model": model, "version": entry and entry.to_version}, text, as_json=as_json)


@app.command()
def allocate(
    model: Name,
    fraction: Annotated[float, typer.Argument(help="Fraction of net liquidation, above 0, at most 1.")],
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Change how much of the account a model's strategy may use."""
    from hrp.agents.runner import by_hand
    from hrp.api import strategies
    from hrp.wiring import build

    with by_hand(build(env_file), f"allocate {model}", dry_run=dry_run) as api:
        strategy = strategies.allocate(api.app, model, Decimal(str(fraction)))
        api.log_event("allocated", ACTOR, strategy.hypothesis_id, {"allocation": strategy.allocation})
    verb = "would trade" if dry_run else "trades"
    text = f"{strategy.hypothesis_id} {verb} {model} with {strategy.allocation:.0%} of the account"
    say({"strategy": strategy.hypothesis_id, "allocation": strategy.allocation}, text, as_json=as_json)


@app.command()
def retire(
    model: Name,
    reason: Reason = "retired by hand",
    dry_run: DryAct = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Stop trading a model. Names that no other strategy predicts stay as they are."""
    from hrp.agents.runner import by_hand
    from hrp.api import strategies
    from hrp.wiring import build

    with by_hand(build(env_file), f"retire {model}", dry_run=dry_run) as api:
        strategy = strategies.retire(api.app, model, session=api.today(), actor=ACTOR, reason=reason)
    verb = "would no longer trade" if dry_run else "no longer trades"
    text = f"{strategy.hypothesis_id} {verb} {model}; holdings that no other strategy predicts stay, sell them in TWS"
    say({"strategy": strategy.hypothesis_id, "status": strategy.status}, text, as_json=as_json)


@app.command()
def freeze(model: Name, reason: Reason = "frozen by hand", env_file: EnvFile = None) -> None:
    """Forbid new buys for a model; sales go on."""
    _hold("freeze", model, reason, env_file)


@app.command()
def unfreeze(model: Name, reason: Reason = "unfrozen by hand", env_file: EnvFile = None) -> None:
    """Lift a freeze."""
    _hold("unfreeze", model, reason, env_file)


def _print_checks(rows: Any) -> None:
    """Figure, bar and verdict of every question of the gate; the reasons follow in the sentence."""
    shown = ("check", "figure", "bar", "verdict")
    print_table(shown, [[row[name] for name in shown] for row in rows])


def _in_brief(evidence: Mapping[str, Any]) -> str:
    """`12 passed`, or the codes of what refused."""
    checks = evidence.get("checks", [])
    codes = [check["reason"].partition(":")[0] for check in checks if check["reason"]]
    passed = sum(check["verdict"] == "passed" for check in checks)
    return ", ".join(codes) or (f"{passed} passed" if checks else "")


def _plain(value: Any) -> str:
    """A mapping or list on the lines of one cell."""
    match value:
        case Mapping():
            return "\n".join(
                f"{name}={item:.6g}" if isinstance(item, float) else f"{name}={item}" for name, item in value.items()
            )
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _hold(action: str, model: str, reason: str, env_file: EnvFile) -> None:
    from hrp.api import deployments
    from hrp.api.platform import PlatformAPI
    from hrp.wiring import build

    change = deployments.freeze if action == "freeze" else deployments.unfreeze
    api = PlatformAPI(build(env_file))  # not claimed: a freeze must work while a night runs
    change(api.app, model, session=api.today(), actor=ACTOR, reason=reason)
    api.publish()
    print(f"{model}: {action} is in the ledger")


def _fraction(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))
