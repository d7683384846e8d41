"""Does a feature see the future? The question that a feature set has to answer for every feature it names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hrp.ml.features import FIELDS, FeatureSet, Panel, compute


def looking_ahead(feature_set: FeatureSet, panel: Panel, cut: int) -> list[str]:
    """The features whose rows of the first `cut` sessions depend on what comes later.

    Later is changed in two ways: every later value becomes another one, and later does not exist.
    """
    rng = np.random.default_rng(cut)
    changed = {}
    for field in FIELDS:
        values = getattr(panel, field).copy()
        values[cut:] *= rng.uniform(0.1, 10.0, values[cut:].shape)
        changed[field] = values
    known = panel.sessions[cut - 1]
    as_was = compute(feature_set, panel).loc[:known]
    futures = [compute(feature_set, replace(panel, **changed)), compute(feature_set, panel.through(known.date()))]
    return [name for name in feature_set.names if not all(as_was[name].equals(f.loc[:known, name]) for f in futures)]
