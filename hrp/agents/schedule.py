"""The one schedule, as data, and the launchd and systemd files that are made from it.

All times are the exchange's. Only `com.hrp.live-trader` ever sends an order, and it is made twice deliberate: its file
is shipped disabled, and its command plans without sending until the files are generated with `trading=True`.

`com.hrp.nightly` runs the whole night in the order of its dependencies and is always dry where it trades. It stands
between the single jobs as their second chance: what a late vendor made fail at 17:30 is made good at 18:00, and the
plan it prints is the rehearsal of 18:30. A job that is run again for the session
converges to the same rows.

The drift monitor runs before the trader. The documented 19:00 would judge the session after its orders were sent.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hrp.errors import ConfigError

EXCHANGE_ZONE = "America/New_York"
LABEL_PREFIX = "com.hrp."
DISABLED = ".disabled"
MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_A_DAY = 24 * 60
MINUTES_A_WEEK = 7 * MINUTES_A_DAY


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """When a job runs: `at` in the exchange's time zone, on `weekdays` (0 is Monday). Holidays are the job's business.

    `catches_up` says whether a run that the machine slept through is made good on waking. launchd always does so;
    every job derives its session and checks its window, so that a late start refuses rather than trades.
    """

    name: str
    at: tuple[time, ...]
    flags: tuple[str, ...] = ()
    armed_flags: tuple[str, ...] | None = None
    weekdays: tuple[int, ...] = MONDAY_TO_FRIDAY
    catches_up: bool = True

    @property
    def label(self) -> str:
        return f"{LABEL_PREFIX}{self.name}"

    @property
    def sends_orders(self) -> bool:
        return self.armed_flags is not None


SCHEDULE = (
    # 09:45 brings the fills of the opening, 16:20 the day's last ones and the positions that the trader needs.
    ScheduledJob("position-sync", (time(9, 45), time(16, 20))),
    ScheduledJob("prices", (time(17, 30),)),
    ScheduledJob("quality", (time(17, 40),)),
    ScheduledJob("features", (time(17, 45),)),
    ScheduledJob("nightly", (time(18, 0),), ("--trading-dry-run",)),
    ScheduledJob("predictions", (time(18, 15),)),
    ScheduledJob("drift-monitor", (time(18, 20),)),
    ScheduledJob("live-trader", (time(18, 30),), ("--trading-dry-run",), ("--no-trading-dry-run",), catches_up=False),
    ScheduledJob("report", (time(18, 45),)),
)


class Platform(StrEnum):
    LAUNCHD = "launchd"
    SYSTEMD = "systemd"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where this HRP lives; every path is absolute, because a service manager starts in `/` with no PATH.

    `home` is only where logs and caches go, settings come from `env_file`. `local_zone` is the machine's time zone
    (launchd knows no other) and `on` a date for which its offset holds; systemd needs neither.

    Raises:
        ConfigError: a path is relative or holds a line break, or the zone does not exist.
    """

    python: Path
    working_dir: Path
    env_file: Path
    home: Path
    on: date
    local_zone: str = EXCHANGE_ZONE

    def __post_init__(self) -> None:
        for name in ("python", "working_dir", "env_file", "home"):
            path = getattr(self, name)
            if not path.is_absolute() or not str(path).isprintable():
                raise ConfigError(f"{name} is {str(path)!r}; a schedule needs an absolute path in printable characters")
        try:
            ZoneInfo(self.local_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"there is no time zone {self.local_zone!r}; give one like Europe/Vienna") from error

    @property
    def log_dir(self) -> Path:
        return self.home / "logs"

    @property
    def environment(self) -> Mapping[str, str]:
        """What every job gets. One OpenMP thread: on busy cores more of them spin; telemetry off; caches at home."""
        return {
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "NUMBA_CACHE_DIR": str(self.home / "cache" / "numba"),
            "OMP_NUM_THREADS": "1",
            "TZ": "UTC",
        }


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One file for the service manager; a disabled one has a name that the service manager does not read."""

    platform: Platform
    label: str
    active_name: str
    content: str
    enabled: bool
    log_dir: Path

    @property
    def name(self) -> str:
        return self.active_name if self.enabled else f"{self.active_name}{DISABLED}"

    @property
    def other_name(self) -> str:
        """The name this file has when it is switched the other way."""
        return f"{self.active_name}{DISABLED}" if self.enabled else self.active_name

    @property
    def starts_jobs(self) -> bool:
        """True for what the service manager is told to load; a systemd service is started by its timer."""
        return not self.active_name.endswith(".service")


# What the files in `launchd/` of the repository are made for.
EXAMPLE = Installation(
    python=Path("/Users/you/hrp/.venv/bin/python"),
    working_dir=Path("/Users/you/hrp"),
    env_file=Path("/Users/you/hrp/.env"),
    home=Path("/Users/you/hrp-data"),
    on=date(2026, 1, 2),
)


def units(platform: Platform, where: Installation, *, trading: bool = False) -> list[UnitFile]:
    """The files of the whole schedule. `trading` enables the live trader and lets it send orders."""
    make = _launchd_units if platform is Platform.LAUNCHD else _systemd_units
    return [unit for job in SCHEDULE for unit in make(job, where, trading)]


def clock_change(where: Installation) -> date | None:
    """The first date after `where.on` from which its launchd times are wrong, or None within a year."""
    days = (where.on + timedelta(days=ahead) for ahead in range(1, 366))
    now = _minutes_ahead(where.local_zone, where.on)
    return next((day for day in days if _minutes_ahead(where.local_zone, day) != now), None)


def _command(job: ScheduledJob, where: Installation, trading: bool) -> list[str]:
    flags = job.armed_flags if trading and job.armed_flags is not None else job.flags
    return [
        str(where.python), "-m", "hrp.agents.run_job", "--job", job.name, *flags, "--env-file", str(where.env_file)
    ]  # fmt: skip


def _enabled(job: ScheduledJob, trading: bool) -> bool:
    return trading or not job.sends_orders


def _launchd_units(job: ScheduledJob, where: Installation, trading: bool) -> list[UnitFile]:
    log = str(where.log_dir / f"{job.name}.log")
    properties = {
        "Label": job.label,
        "ProgramArguments": _command(job, where, trading),
        "WorkingDirectory": str(where.working_dir),
        "EnvironmentVariables": dict(where.environment),
        "StartCalendarInterval": _calendar_intervals(job, _minutes_ahead(where.local_zone, where.on)),
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "RunAtLoad": False,
    }
    content = plistlib.dumps(properties, sort_keys=False).decode()
    name = f"{job.label}.plist"
    return [UnitFile(Platform.LAUNCHD, job.label, name, content, _enabled(job, trading), where.log_dir)]


def _calendar_intervals(job: ScheduledJob, minutes_ahead: int) -> list[dict[str, int]]:
    """The job's times on the local clock; the weekday moves along where midnight lies between the zones."""
    starts = [
        (day * MINUTES_A_DAY + at.hour * 60 + at.minute + minutes_ahead) % MINUTES_A_WEEK
        for day in job.weekdays
        for at in job.at
    ]
    return [
        # launchd counts Sunday as 0.
        {"Weekday": (minute // MINUTES_A_DAY + 1) % 7, "Hour": minute // 60 % 24, "Minute": minute % 60}
        for minute in starts
    ]


def _minutes_ahead(zone: str, day: date) -> int:
    """By how many minutes the clocks of `zone` are ahead of the exchange's at noon of `day`."""
    noon = datetime.combine(day, time(12), ZoneInfo(EXCHANGE_ZONE))
    local, exchange = noon.astimezone(ZoneInfo(zone)).utcoffset(), noon.utcoffset()
    return int(((local or timedelta()) - (exchange or timedelta())).total_seconds()) // 60


def _systemd_units(job: ScheduledJob, where: Installation, trading: bool) -> list[UnitFile]:
    enabled = _enabled(job, trading)
    service, timer = _service(job, where, trading), _timer(job)
    return [
        UnitFile(Platform.SYSTEMD, job.label, f"{job.label}.service", service, True, where.log_dir),
        UnitFile(Platform.SYSTEMD, job.label, f"{job.label}.timer", timer, enabled, where.log_dir),
    ]


def _service(job: ScheduledJob, where: Installation, trading: bool) -> str:
    log = _no_specifiers(f"{where.log_dir / job.name}.log")
    environment = "\n".join(f"Environment={_quoted(f'{key}={value}')}" for key, value in where.environment.items())
    command = " ".join(_quoted(word).replace("$", "$$") for word in _command(job, where, trading))
    return f"""[Unit]
Description=HRP {job.name}

[Service]
Type=oneshot
WorkingDirectory={_no_specifiers(str(where.working_dir))}
{environment}
ExecStart={command}
StandardOutput=append:{log}
StandardError=append:{log}
"""


def _timer(job: ScheduledJob) -> str:
    days = ",".join(DAY_NAMES[day] for day in job.weekdays)
    calendar = "\n".join(f"OnCalendar={days} *-*-* {at:%H:%M}:00 {EXCHANGE_ZONE}" for at in job.at)
    return f"""[Unit]
Description=When HRP {job.name} runs

[Timer]
{calendar}
AccuracySec=1s
Persistent={str(job.catches_up).lower()}
Unit={job.label}.service

[Install]
WantedBy=timers.target
"""


def _no_specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """`word` as systemd reads it: quoted, with its own escapes."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_no_specifiers(escaped)}"'
