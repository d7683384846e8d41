"""The `hrp` command.

Commands import what they need when they run: `hrp --help` answers at once because nothing heavy is loaded for it.
"""

from __future__ import annotations

import sys

import typer

from hrp.cli import breaks, data, gateway, look, models, orders, rehearse, replay, research, run, schedule, setup
from hrp.cli.output import complain
from hrp.errors import HRPError

app = typer.Typer(
    name="hrp",
    help="From a trained model to a paper portfolio: one careful batch a night.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for room in (setup, run, look, orders, research, rehearse, replay):
    room.register(app)
app.add_typer(orders.app, name="orders")
app.add_typer(breaks.app, name="breaks")
app.add_typer(models.app, name="models")
app.add_typer(gateway.app, name="gateway")
app.add_typer(data.app, name="data")
app.add_typer(research.app, name="research")
app.add_typer(schedule.app, name="schedule")


def main() -> None:
    """Entry point: a user's mistake is one line and an exit code, never a traceback."""
    try:
        app()
    except HRPError as error:
        complain(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
