"""The page that lists every feature: `python -m hrp.ml.features.page > docs/features.md`."""

from __future__ import annotations

from collections.abc import Iterable

from hrp.ml.features.alpha158 import ALPHA158
from hrp.ml.features.catalogue import CATALOGUE, GROUPS
from hrp.ml.features.core import CORE
from hrp.ml.features.definition import Feature, NaNPolicy

HEAD = f"""# Features

Written by `python -m hrp.ml.features.page > docs/features.md`; a test keeps it current.

A feature set is chosen by `HRP_FEATURE_SET`: `core` ({len(CORE.names)} features), `catalogue` ({len(CATALOGUE.names)},
with those of core), `alpha158` ({len(ALPHA158.names)}). A feature is one declaration: name, inputs, look-back, formula,
when it is missing, what it says, source. It sees its inputs and nothing else; `day` is the date of the session.
Look-back counts sessions, the row's own included. Prices are as adjusted as the panel that it is given.

`hrp research lookahead FEATURE` tries whether a feature reads the future, or more of the past than its look-back.

| missing | meaning |
|---|---|
"""

ALPHA = """
## alpha158

The 158 features of Qlib's Alpha158, by its published expressions and under its names. A window is whole or the feature
is missing. Daily bars carry no volume-weighted average price: in VWAP0 the typical price, the mean of high, low and
close, stands in for it.
"""


def page() -> str:
    """The text of `docs/features.md`."""
    policies = "".join(f"| {policy.name.lower()} | {policy.value} |\n" for policy in NaNPolicy)
    groups = "".join(f"\n## {name}\n\n{_table(features)}" for name, features in GROUPS.items())
    return HEAD + policies + groups + ALPHA + "\n" + _table(ALPHA158.features)


def _table(features: Iterable[Feature]) -> str:
    head = "| feature | inputs | look-back | missing | what it says | source |\n|---|---|---|---|---|---|\n"
    rows = (
        f"| `{f.name}` | {', '.join(f.inputs)} | {f.lookback_sessions} | {f.nan_policy.name.lower()} "
        f"| {f.doc} | {f.source} |\n"
        for f in features
    )
    return head + "".join(rows)


if __name__ == "__main__":
    print(page(), end="")
