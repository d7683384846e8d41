"""The house rules that a tool can hold the code to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "hrp").rglob("*.py"))
SCREEN_LINES = 60
HEAVY = {"pandas", "numpy", "duckdb", "mlflow", "sklearn", "evidently", "vectorbt", "streamlit", "rich"}


def test_rooms_import_downwards_only_and_each_library_has_one_owner():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_function_fits_a_screen():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= SCREEN_LINES + _docstring_lines(node)
    ]
    assert long == []


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_text else 0


def test_no_error_is_swallowed_by_a_broad_except():
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    assert broad == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    named = handler.type
    return named is None or (isinstance(named, ast.Name) and named.id in ("Exception", "BaseException"))


@pytest.mark.parametrize("command", [["--help"], ["models", "--help"], ["gateway", "--help"], ["run", "--help"]])
def test_help_answers_without_loading_anything_heavy(command: list[str]):
    code = "import sys; from hrp.cli import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & HEAVY
