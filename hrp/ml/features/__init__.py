"""Features: declared functions of a dense price panel (pure).

A feature's row for a session uses that session and the `lookback_sessions - 1` before it, nothing later and nothing
earlier. The words that formulas are made of give results that do not depend on where a matrix begins, so tonight's
row computed alone equals, to the last bit, the same row of the whole history.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hrp.errors import UsageError
from hrp.ml.features.alpha158 import ALPHA158
from hrp.ml.features.catalogue import CATALOGUE
from hrp.ml.features.core import CORE
from hrp.ml.features.definition import Feature, FeatureSet, NaNPolicy
from hrp.ml.features.engine import compute, evaluate
from hrp.ml.features.panel import FIELDS, Matrix, Panel

__all__ = [
    "ALPHA158", "CATALOGUE", "CORE", "FEATURE_SETS", "FIELDS", "Feature", "FeatureSet", "Matrix", "NaNPolicy", "Panel",
    "compute", "evaluate", "feature_named", "feature_set_named",
]  # fmt: skip

FEATURE_SETS: Mapping[str, FeatureSet] = MappingProxyType({s.name: s for s in (CORE, CATALOGUE, ALPHA158)})


def feature_set_named(name: str) -> FeatureSet:
    """The registered feature set `name`.

    Raises:
        UsageError: there is none; the message names those that exist.
    """
    if name not in FEATURE_SETS:
        raise UsageError(f"there is no feature set {name!r}; there are: {', '.join(FEATURE_SETS)}")
    return FEATURE_SETS[name]


def feature_named(name: str) -> Feature:
    """The feature `name` of any registered set; no two share a name.

    Raises:
        UsageError: there is none; the message names the sets and the page that lists their features.
    """
    for feature_set in FEATURE_SETS.values():
        for feature in feature_set.features:
            if feature.name == name:
                return feature
    raise UsageError(
        f"there is no feature {name!r} in the sets {', '.join(FEATURE_SETS)}; docs/features.md lists them all"
    )
