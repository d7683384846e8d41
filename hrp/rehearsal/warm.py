"""What the fork server imports and computes once, so that each process of a rehearsal starts at once."""

from __future__ import annotations

import importlib
from datetime import date

from hrp.domain.sessions import close_at
from hrp.ml.features import CORE, compute
from hrp.ml.lookahead import made_panel

for _name in (
    "hrp.agents.runner", "hrp.execution.broker", "hrp.ml.registry", "hrp.monitoring.drift", "hrp.gateway.__main__",
    "hrp.rehearsal.books", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.sklearn",
):  # fmt: skip
    importlib.import_module(_name)
close_at(date(2022, 1, 3))  # the calendar takes half a second to build
for _last_only in (False, True):  # a night that compiles keeps what it compiled, which the next one does not do again
    compute(CORE, made_panel(CORE.lookback_sessions + 1), last_only=_last_only)
