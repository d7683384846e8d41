"""A backfill in a process of its own that ends itself, by SIGKILL, just before one of its effects."""

from __future__ import annotations

import os
import signal
import tempfile
from datetime import date
from pathlib import Path

from hrp.api.backfill import plan_backfill, run_backfill
from hrp.rehearsal.effects import Effect, Watch
from hrp.wiring import build


def backfill_and_die(env_file: Path, first: date, last: date, bars_a_part: int, kind: str, nth: int) -> None:
    """Die before the `nth` effect of `kind`."""
    countdown = nth

    def before(effect: Effect) -> None:
        nonlocal countdown
        countdown -= effect.kind == kind
        if countdown == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Watch(before, Path(tempfile.gettempdir()) / "nobody-else's")  # before the store is opened: it wraps the opening
    app = build(env_file)
    planned = plan_backfill(app, app.source(), first, last, bars_a_part=bars_a_part)
    run_backfill(app, planned, "backfill", lambda _: None)
