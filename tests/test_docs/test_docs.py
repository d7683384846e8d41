"""The pages say what the code does: links, commands, variables, codes, tables and packages are held to it."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from hrp.agents.run_job import cli as run_job
from hrp.agents.schedule import SCHEDULE
from hrp.cli import app
from hrp.config import describe, env_example
from hrp.data.db import Store
from hrp.wiring import ENV_FILE_VARIABLE

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CLAUDE.md", *(ROOT / "docs").rglob("*.md")])
JOBS = {job.name for job in SCHEDULE}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\b(?:HRP|IBKR|MLFLOW)_[A-Z][A-Z_]*\b")
CODE = re.compile(r"[A-Z]{4,}(?:_[A-Z]+)*|[A-Z]+(?:_[A-Z]+)+")
PLACEHOLDER = re.compile(r"[A-Z]+")
PROGRAMS = ("hrp", ".venv/bin/hrp")
MET = (
    "BrokerError",
    "BrokerConnectionError",
    "BrokerTimeoutError",
    "ClientIdInUseError",
    "ConfigError",
    "WrongAccountError",
)
LEAST_OF_A_MESSAGE = 15  # characters of its own, so that a template of placeholders does not match everything

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def spans(page: Path) -> list[str]:
    return SPAN.findall(prose(page))


def shell_lines(page: Path) -> Iterator[str]:
    for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "sh":
            yield from text.splitlines()


@cache
def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "hrp").rglob("*.py")))


# Links


def anchors(page: Path) -> set[str]:
    """The fragment of each heading, as code forges make it."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path, link: str) -> bool:
    target, _, fragment = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    return not path.exists() or (fragment != "" and fragment not in anchors(path))


@each_page
def test_every_relative_link_and_image_leads_somewhere(page: Path):
    links = [link for link in LINK.findall(prose(page)) if not link.startswith(("http://", "https://"))]
    assert [link for link in links if broken(page, link)] == []


@each_page
def test_every_path_of_the_repository_that_is_named_exists(page: Path):
    rooms = ("hrp/", "docs/", "launchd/", "tests/", "notebooks/", "benchmarks/")
    paths = [span for span in spans(page) if span.startswith(rooms) and " " not in span]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_decision_has_context_decision_and_consequences():
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        found = re.findall(r"^\*\*(\w+)\.\*\*", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert found == ["Context", "Decision", "Consequences"], page.name


# Commands


def faults(command: Any, words: list[str], *, whole: bool) -> Iterator[str]:
    """What is wrong with `words` as arguments of `command`; `whole` also misses what is required."""
    if hasattr(command, "commands"):
        if words and words[0] in command.commands:
            yield from faults(command.commands[words[0]], words[1:], whole=whole)
            return
        if not command.invoke_without_command or (words and not words[0].startswith("--")):
            if words or whole:
                yield f"{command.name or 'hrp'} has no command {words[0] if words else '(none given)'}"
            return
    options = {name: param for param in command.params for name in (*param.opts, *param.secondary_opts)}
    given: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            given.append(word)
        elif word not in options and word != "--help":
            yield f"{command.name} has no option {word}"
        elif word != "--help" and not options[word].is_flag and next(rest, None) is None:
            yield f"{command.name} {word} needs a value"
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    if len(given) > len(arguments) and all(param.nargs > 0 for param in arguments):
        yield f"{command.name} takes {len(arguments)} arguments, not {given}"
    elif whole and len(given) < sum(param.required for param in arguments):
        yield f"{command.name} needs {[param.name for param in arguments]}, not {given}"
    yield from unknown_jobs(command.name, given[:1])


def unknown_jobs(name: str | None, given: Iterable[str]) -> Iterator[str]:
    if name == "run":
        yield from (f"there is no job {job}" for job in given if job not in JOBS and not PLACEHOLDER.fullmatch(job))


@cache
def commands() -> Any:
    return typer.main.get_command(app)


def command_faults(line: str, *, whole: bool) -> list[str]:
    return list(faults(commands(), shlex.split(line, comments=True)[1:], whole=whole))


@each_page
def test_every_hrp_command_in_a_block_would_be_taken(page: Path):
    lines = [line for line in shell_lines(page) if line.split(" ")[0] in PROGRAMS]
    assert [fault for line in lines for fault in command_faults(line, whole=True)] == []


@each_page
def test_every_hrp_command_in_the_text_exists_with_its_options(page: Path):
    mentioned = [span for span in spans(page) if span.startswith("hrp ")]
    assert [fault for span in mentioned for fault in command_faults(span, whole=False)] == []


@each_page
def test_every_run_job_command_names_a_job_and_options_that_exist(page: Path):
    entry = typer.main.get_command(run_job)
    known = {name for param in entry.params for name in (*param.opts, *param.secondary_opts)}
    for line in [*shell_lines(page), *spans(page)]:
        words = shlex.split(line, comments=True) if "hrp.agents.run_job" in line else []
        options = {word for word in words if word.startswith("--")}
        jobs = [words[place + 1] for place, word in enumerate(words) if word == "--job"]
        assert options <= known, line
        assert all(job in JOBS or PLACEHOLDER.fullmatch(job) for job in jobs), line


@each_page
def test_every_make_target_exists(page: Path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for line in [*shell_lines(page), *spans(page)] if line.startswith("make ")]
    named = {word for line in lines for word in shlex.split(line, comments=True)[1:] if word.isalpha()}
    assert named <= targets


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("hrp fly", "hrp has no command fly"),
        ("hrp models promote MODEL", "promote needs ['model', 'version'], not ['MODEL']"),
        ("hrp orders --colour", "orders has no option --colour"),
        ("hrp orders --limit", "orders --limit needs a value"),
        ("hrp status now", "status takes 0 arguments, not ['now']"),
        ("hrp orders sell", "orders has no command sell"),
        ("hrp run everything", "there is no job everything"),
    ],
)
def test_a_command_that_does_not_exist_would_be_found(line: str, fault: str):
    assert command_faults(line, whole=True) == [fault]


# Settings, codes, tables, packages


@each_page
def test_every_variable_that_is_named_is_a_setting(page: Path):
    settings = {name for name, _, _ in describe()} | {ENV_FILE_VARIABLE}
    assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) <= settings


def test_the_shipped_settings_file_is_the_generated_one():
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


@each_page
def test_every_code_of_a_denial_or_clip_that_is_named_is_in_the_code(page: Path):
    settings = {name for name, _, _ in describe()}
    codes = {span for span in spans(page) if CODE.fullmatch(span)} - settings - {ENV_FILE_VARIABLE, "NULL", "TRUE"}
    assert {code for code in codes if not re.search(rf"\b{code}\b", sources())} == set()


def messages(tree: ast.AST) -> Iterator[re.Pattern[str]]:
    """Every text with values in it that the code makes, as a pattern."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
            if sum(len(part) for part in parts if part) >= LEAST_OF_A_MESSAGE:
                yield re.compile("".join(".*" if part is None else re.escape(part) for part in parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) >= LEAST_OF_A_MESSAGE:
            yield re.compile(re.escape(node.value))


def quoted_by_the_broker_guide() -> list[str]:
    blocks = FENCE.findall((ROOT / "docs" / "ibkr-setup.md").read_text(encoding="utf-8"))
    return [line for language, text in blocks if not language for line in text.splitlines()]


def test_every_message_that_the_broker_guide_quotes_is_one_that_the_code_makes():
    quoted = quoted_by_the_broker_guide()
    patterns = list(messages(ast.parse(sources().replace("from __future__ import annotations", ""))))
    assert len(quoted) > 10
    assert [line for line in quoted if not any(pattern.fullmatch(line) for pattern in patterns)] == []


def test_the_broker_guide_quotes_every_message_that_can_end_a_connection_or_a_reconciliation():
    files = [ROOT / "hrp/domain/reconcile.py", *(ROOT / "hrp/execution").glob("*.py")]
    files.remove(ROOT / "hrp/execution/signal_converter.py")  # it knows no broker
    raised = [
        node.exc
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") in MET
    ]
    made = [pattern for call in raised for pattern in itertools.islice(messages(call), 1)]
    quoted = quoted_by_the_broker_guide()
    assert len(made) > 30
    assert [pattern.pattern for pattern in made if not any(pattern.fullmatch(line) for line in quoted)] == []


def test_the_architecture_names_every_table_and_view_with_its_writer():
    page = prose(ROOT / "docs" / "architecture.md").partition("## Tables")[2].partition("\n## ")[0]
    sql = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "hrp/data/migrations").glob("*.sql")))
    tables = {table: writer for writer, table in re.findall(r"Writer: (\w+)\.\nCREATE TABLE (\w+)", sql)}
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (\w+) \|$", page, re.MULTILINE))
    assert tables
    assert rows == tables
    assert all(f"`{view}`" in page for view in re.findall(r"CREATE VIEW (\w+)", sql))


def test_the_data_page_lists_the_columns_of_every_view(store_columns: dict[str, list[str]]):
    page = prose(ROOT / "docs" / "data.md")
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([a-z_, ]+) \|$", page, re.MULTILINE))
    assert {view: columns.split(", ") for view, columns in rows.items()} == store_columns


@pytest.fixture(scope="module")
def store_columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder / "hrp.duckdb", folder / "published")
    store.migrate()
    with store.read() as con:
        views = [name for (name,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        return {view: [row[0] for row in con.execute(f"DESCRIBE {view}").fetchall()] for view in views}


def test_every_direct_dependency_is_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    rows = re.findall(r"^\| (\S+) \|(.*)\|$", prose(ROOT / "docs" / "dependencies.md"), re.MULTILINE)
    told = dict(rows)
    for requirement in wanted:
        name, bound = re.fullmatch(r"([\w-]+(?:\[[\w,]+\])?)(.*)", requirement).groups()
        assert f"`{bound}`" in told[name] if bound else name in told, requirement
