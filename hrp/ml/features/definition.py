"""What a feature is: a declared function of a panel, each one line or a few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hrp.errors import UsageError
from hrp.ml.features.panel import FIELDS, Matrix

INPUTS = (*FIELDS, "day")


class NaNPolicy(StrEnum):
    """When a feature of a name has no value (a name without a close in a session has no row there at all)."""

    ENDPOINTS = "missing if a session that it reads is missing; holes between are ignored"
    WINDOW = "missing if any session of its window is missing"
    SECTION = "one value for all names of the session, made of those that have the bars; the others are left out"
    CALENDAR = "reads no bar: missing only where its look-back reaches before the first session"


@dataclass(frozen=True, slots=True)
class Feature:
    """`formula` gets the matrices [session × symbol] named in `inputs`, in that order, and returns one of that shape.

    It sees nothing else of the panel. A row may use its own session and the `lookback_sessions - 1` before it, and its
    value must not depend on where the matrices begin: what is made of `hrp.ml.features.operations` and elementwise
    arithmetic does not, and `hrp.ml.lookahead` finds out about anything else. What is not finite counts as missing.
    A formula that mixes the names of a session says `cross_section`.
    """

    name: str
    inputs: tuple[str, ...]
    lookback_sessions: int
    formula: Callable[..., Matrix]
    nan_policy: NaNPolicy
    doc: str
    source: str
    cross_section: bool = False


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features under one name, in the order of their columns.

    Raises:
        UsageError: two features share a name, or one asks for a field that the panel does not have.
    """

    name: str
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise UsageError(f"feature set {self.name} names {', '.join(sorted(repeated))} twice")
        for feature in self.features:
            if unknown := set(feature.inputs) - set(INPUTS):
                raise UsageError(f"feature {feature.name} asks for {sorted(unknown)}, a panel has {', '.join(INPUTS)}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def lookback_sessions(self) -> int:
        """Sessions that the last row needs: how much history a night has to read."""
        return max(feature.lookback_sessions for feature in self.features)
