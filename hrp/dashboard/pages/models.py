"""The strategies, the versions that were promoted and rolled back, and the newest drift checks."""

from __future__ import annotations

import streamlit as st

from hrp.dashboard import views
from hrp.dashboard.layout import draw, show
from hrp.dashboard.reading import read_models
from hrp.wiring import build


def page() -> None:
    """Draw the page."""
    facts = read_models(build().settings)
    st.title("Models")
    st.subheader("Strategies")
    show(views.table(facts.strategies, views.STRATEGIES), "None; train a model: hrp train, then: hrp models promote")
    st.subheader("Deployments, the newest first")
    show(views.table(facts.ledger, views.LEDGER), "Nothing was promoted yet; run: hrp models promote")
    session = f" of {facts.checks[0]['session']}" if facts.checks else ""
    st.subheader(f"Drift checks{session}")
    show(views.table(facts.checks, views.CHECKS), "None; run: hrp run drift-monitor")


if __name__ == "__main__":
    draw(page)
