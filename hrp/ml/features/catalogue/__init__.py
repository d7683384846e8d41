"""The catalogue: the core set and sixty-odd further features, by group."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hrp.ml.features.catalogue.indicators import OSCILLATORS, TREND, VOLUME
from hrp.ml.features.catalogue.prices import MOMENTUM, RANGES, RETURNS, VOLATILITY
from hrp.ml.features.catalogue.sections import CALENDAR, MARKET, RANKS
from hrp.ml.features.core import CORE
from hrp.ml.features.definition import Feature, FeatureSet

GROUPS: Mapping[str, tuple[Feature, ...]] = MappingProxyType({
    "core": CORE.features,
    "returns": RETURNS,
    "momentum": MOMENTUM,
    "volatility": VOLATILITY,
    "ranges": RANGES,
    "volume": VOLUME,
    "oscillators": OSCILLATORS,
    "trend": TREND,
    "ranks in the session": RANKS,
    "against the market": MARKET,
    "calendar": CALENDAR,
})  # fmt: skip

CATALOGUE = FeatureSet("catalogue", tuple(feature for group in GROUPS.values() for feature in group))
