"""How long the commands take to answer, as whole processes: `python benchmarks/startup.py`.

Each figure is the median of interleaved runs, beside the floor of starting Python and importing pandas.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        env_file = _workspace(Path(folder))
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "pandas": [sys.executable, "-c", "import pandas"],
            "help": [sys.executable, "-m", "hrp", "--help"],
            "status": [sys.executable, "-m", "hrp", "status", "--env-file", str(env_file)],
        }
        seconds = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                seconds[name].append(_timed(command))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name:8} {median:.3f} s, {median / medians['python']:.1f} × a bare interpreter")
    print(f"help={medians['help']:.3f}s status={medians['status']:.3f}s")


def _workspace(folder: Path) -> Path:
    """An initialised workspace; its settings file."""
    env_file = folder / ".env"
    env_file.write_text(f"HRP_HOME={folder / 'home'}\n")
    _timed([sys.executable, "-m", "hrp", "init", "--env-file", str(env_file)])
    return env_file


def _timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
