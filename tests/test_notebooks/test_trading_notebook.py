"""The analyst's notebook, run from its first cell to its last by a kernel of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from workspaces import CASH, EQUITY, LAST, RANK_IC, SESSIONS, UNREALIZED, Workspace, empty_workspace, finished_workspace

from hrp.data.db import COPIES_KEPT

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "trading.ipynb"


class Kernel:
    """A kernel in which every cell of the notebook has run, and that can be asked on."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client
        for place, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, place)

    @property
    def printed(self) -> str:
        """What the cells printed."""
        outputs = [output for cell in self._client.nb.cells for output in cell.get("outputs", [])]
        return "".join(output["text"] for output in outputs if output["output_type"] == "stream")

    @property
    def charts(self) -> int:
        """How many charts the cells drew."""
        outputs = [output for cell in self._client.nb.cells for output in cell.get("outputs", [])]
        return sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)

    def value(self, expression: str) -> object:
        """The value of an expression in plain types."""
        cell = nbformat.v4.new_code_cell(f"print({expression})")
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        return ast.literal_eval(cell.outputs[0]["text"])


@contextmanager
def _kernel(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("HRP_ENV_FILE", str(workspace.env_file))
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    client = NotebookClient(nbformat.read(NOTEBOOK, as_version=4), timeout=60)
    with client.setup_kernel():
        yield Kernel(client)


def test_the_notebook_tells_what_the_store_holds_and_keeps_its_view_while_jobs_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = finished_workspace(tmp_path)
    with _kernel(workspace, monkeypatch) as kernel:
        figures = kernel.value("{name: None if value is None else float(value) for name, value in figures.items()}")
        ics = kernel.value("{str(session.date()): round(ic, 12) for session, ic in ics['HYP-2022-001'].items()}")
        for _ in range(COPIES_KEPT + 1):  # so often that the copy that the notebook reads is no longer in its folder
            with workspace.app.store().write(publish=True) as con:
                con.execute("DELETE FROM fills")
        after = kernel.value("ask('SELECT count(*) AS n FROM executed_trades')['n'].tolist()")

    assert figures == {
        "equity, USD": float(EQUITY[LAST]),
        "cash, USD": float(CASH[LAST]),
        "positions": 2,
        "unrealized P&L, USD": float(UNREALIZED[LAST]),
        "trades": 2,
        "commission, USD": 2.0,
        "predicted sessions": len(SESSIONS) - 1,
        "sessions with known returns": len(RANK_IC),
        "mean rank IC": pytest.approx(sum(RANK_IC.values()) / len(RANK_IC)),
        "largest difference to the backtest, USD": 1.0,
    }
    assert ics == {session.isoformat(): ic for session, ic in RANK_IC.items()}
    assert kernel.charts == 5
    assert after == [2]


def test_over_an_empty_store_the_notebook_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _kernel(empty_workspace(tmp_path), monkeypatch) as kernel:
        printed = kernel.printed

    for what in ("No positions", "No trades yet", "No predictions yet", "No equity yet"):
        assert what in printed
    assert kernel.charts == 0


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]

    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
