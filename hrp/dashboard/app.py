"""The dashboard's pages. Started by `hrp dashboard`, which has streamlit run this file."""

from __future__ import annotations

import streamlit as st

from hrp.dashboard.layout import configure


def main() -> None:
    """Draw the page that was chosen."""
    configure()
    pages = [
        st.Page("pages/trading.py", title="Trading", icon=":material/monitoring:", default=True),
        st.Page("pages/models.py", title="Models", icon=":material/model_training:"),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
