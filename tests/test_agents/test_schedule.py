from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from hrp.agents.schedule import EXAMPLE, SCHEDULE, Installation, Platform, UnitFile, clock_change, units
from hrp.agents.service_manager import FileState, install, reload, run_command, status, uninstall, write_units
from hrp.errors import ConfigError, JobError

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "launchd"
PLATFORMS = list(Platform)
WINTER, SUMMER = date(2026, 1, 2), date(2026, 7, 1)


@pytest.fixture
def where(tmp_path: Path) -> Installation:
    folder = tmp_path / 'my "hrp" 100% $HOME'
    folder.mkdir()
    return Installation(Path(sys.executable), folder, folder / ".env", folder / "data", WINTER)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "units"


class ServiceManager:
    """What launchctl and systemctl answer: it knows what is loaded, refuses to load twice, keeps what it was asked."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.asked: list[list[str]] = []
        self.refuses = False

    def __call__(self, command: list[str]) -> CompletedProcess[str]:
        self.asked.append(command)
        return CompletedProcess(command, self._answer(command[1:]), "", "Bootstrap failed: 5: Input/output error")

    def _answer(self, words: list[str]) -> int:
        name = words[-1].rsplit("/", 1)[-1].removesuffix(".plist").removesuffix(".timer")
        if words in (["print", "gui/501"], ["--user", "show-environment"], ["--user", "daemon-reload"]):
            return 0
        if words[0] == "print" or "is-active" in words:
            return 0 if name in self.loaded else 113
        if words[0] == "bootout" or "disable" in words:
            self.loaded.discard(name)
            return 0
        if self.refuses or name in self.loaded:
            return 5
        if words[0] == "bootstrap" and not Path(words[-1]).exists():
            return 5
        self.loaded.add(name)
        return 0

    @property
    def acts(self) -> list[list[str]]:
        reads = {"print", "is-active", "show-environment"}
        return [command for command in self.asked if not reads & set(command)]


def properties(unit: UnitFile) -> dict[str, object]:
    return plistlib.loads(unit.content.encode())


def launchd(where: Installation, job: str, *, trading: bool = False) -> UnitFile:
    [unit] = [unit for unit in units(Platform.LAUNCHD, where, trading=trading) if unit.label == f"com.hrp.{job}"]
    return unit


def test_the_night_is_in_the_order_of_its_dependencies():
    start = {job.name: job.at[-1] for job in SCHEDULE}
    order = ["position-sync", "prices", "quality", "features", "predictions", "drift-monitor", "live-trader", "report"]

    assert sorted(order, key=lambda name: start[name]) == order
    assert (start["predictions"], start["live-trader"]) == (time(18, 15), time(18, 30))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_only_the_live_trader_is_shipped_disabled(where, platform):
    disabled = [unit.name for unit in units(platform, where) if not unit.enabled]

    assert disabled == [f"com.hrp.live-trader.{'plist' if platform is Platform.LAUNCHD else 'timer'}.disabled"]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("trading", [False, True])
def test_no_file_sends_orders_but_the_live_trader_of_a_schedule_made_for_trading(where, platform, trading):
    sending = {unit.label for unit in units(platform, where, trading=trading) if "--no-trading-dry-run" in unit.content}
    rehearsing = {unit.label for unit in units(platform, where, trading=trading) if "--trading-dry-run" in unit.content}

    assert sending == ({"com.hrp.live-trader"} if trading else set())
    assert rehearsing == {"com.hrp.nightly", "com.hrp.live-trader"} - sending


def test_a_plist_holds_absolute_paths_and_the_environment_of_a_job(where):
    found = properties(launchd(where, "predictions"))

    assert found["ProgramArguments"] == [
        sys.executable, "-m", "hrp.agents.run_job", "--job", "predictions", "--env-file", str(where.env_file)
    ]  # fmt: skip
    assert found["StandardOutPath"] == found["StandardErrorPath"] == str(where.home / "logs" / "predictions.log")
    assert found["EnvironmentVariables"].items() >= {
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"
    }.items()  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "on", "first", "last"),
    [
        ("America/New_York", WINTER, (1, 18, 30), (5, 18, 30)),
        ("America/New_York", SUMMER, (1, 18, 30), (5, 18, 30)),
        ("Europe/Vienna", WINTER, (2, 0, 30), (6, 0, 30)),
        ("Europe/Vienna", date(2026, 3, 16), (1, 23, 30), (5, 23, 30)),  # New York changes its clocks first
        ("Asia/Tokyo", WINTER, (2, 8, 30), (6, 8, 30)),
        ("Asia/Tokyo", SUMMER, (2, 7, 30), (6, 7, 30)),
        ("Asia/Kolkata", WINTER, (2, 5, 0), (6, 5, 0)),
        ("America/Los_Angeles", WINTER, (1, 15, 30), (5, 15, 30)),
    ],
)
def test_launchd_gets_the_exchanges_time_on_the_local_clock(where, zone, on, first, last):
    unit = launchd(replace(where, local_zone=zone, on=on), "live-trader")

    found = [(i["Weekday"], i["Hour"], i["Minute"]) for i in properties(unit)["StartCalendarInterval"]]

    assert (len(found), found[0], found[-1]) == (5, first, last)


def test_sunday_is_the_day_before_monday():
    # 09:45 in New York on Monday is Sunday nowhere, but Monday 03:45 in Honolulu and Tuesday 03:45 in Auckland.
    for zone, day, hour in (("Pacific/Honolulu", 1, 4), ("Pacific/Auckland", 2, 3)):
        unit = launchd(replace(EXAMPLE, local_zone=zone), "position-sync")
        assert properties(unit)["StartCalendarInterval"][0] == {"Weekday": day, "Hour": hour, "Minute": 45}


def test_the_next_clock_change_says_when_launchd_times_go_wrong(where):
    assert clock_change(where) is None
    assert clock_change(replace(where, local_zone="Europe/Vienna")) == date(2026, 3, 8)
    assert clock_change(replace(where, local_zone="Europe/Vienna", on=date(2026, 3, 8))) == date(2026, 3, 29)


def test_systemd_keeps_the_exchanges_time_and_does_not_make_good_a_missed_trade(where):
    timers = {unit.label: unit.content for unit in units(Platform.SYSTEMD, where) if "[Timer]" in unit.content}

    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 18:30:00 America/New_York" in timers["com.hrp.live-trader"]
    assert "Persistent=false" in timers["com.hrp.live-trader"]
    assert "Persistent=true" in timers["com.hrp.prices"]
    assert timers["com.hrp.position-sync"].count("OnCalendar=") == 2


def test_systemd_units_are_accepted(where, target):
    made = units(Platform.SYSTEMD, where, trading=True)
    write_units(target, made)
    if shutil.which("systemd-analyze") is None:
        for unit in made:
            parser = ConfigParser(strict=False, interpolation=None)
            parser.read_string(unit.content)
            assert parser.sections()
        return
    command = ["systemd-analyze", "verify", "--user", *(str(target / unit.name) for unit in made)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(target)}
    verdict = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    assert (verdict.returncode, [line for line in verdict.stderr.splitlines() if "com.hrp" in line]) == (0, [])


def test_words_reach_systemd_with_its_own_escapes(where):
    [service] = [unit for unit in units(Platform.SYSTEMD, where) if unit.active_name == "com.hrp.prices.service"]

    assert r'"--env-file" ' in service.content
    assert r'my \"hrp\" 100%% $$HOME/.env"' in service.content
    assert "WorkingDirectory=" + str(where.working_dir).replace("%", "%%") in service.content


@pytest.mark.parametrize(
    "change",
    [
        {"python": Path("python")},
        {"env_file": Path(".env")},
        {"home": Path("/data\nExecStart=")},
        {"local_zone": "Mars"},
    ],
)
def test_what_would_not_start_from_anywhere_is_refused(where, change):
    with pytest.raises(ConfigError):
        replace(where, **change)


def test_the_shipped_files_are_what_the_generator_makes():
    made = {unit.name: unit.content for unit in units(Platform.LAUNCHD, EXAMPLE)}
    shipped = {path.name: path.read_text() for path in SHIPPED.iterdir() if path.suffix != ".sh"}

    assert shipped == made, "make them again: write_units(Path('launchd'), units(Platform.LAUNCHD, EXAMPLE))"
    assert (SHIPPED / "com.hrp.live-trader.plist.disabled").is_file()
    assert not (SHIPPED / "com.hrp.live-trader.plist").exists()
    for path in SHIPPED.glob("*.plist*"):
        assert plistlib.loads(path.read_bytes())["Label"] == path.name.split(".plist")[0]


def test_the_manage_script_hands_its_words_to_hrp_and_knows_no_others():
    script = str(SHIPPED / "manage.sh")

    said = subprocess.run(
        [script, "status", "--json"], capture_output=True, text=True, env={"HRP": "/bin/echo"}, check=True
    )
    wrong = subprocess.run([script, "start"], capture_output=True, text=True, env={"HRP": "/bin/echo"}, check=False)

    assert said.stdout == "schedule status --json\n"
    assert (wrong.returncode, wrong.stdout) == (2, "")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_installing_writes_and_loads_everything_but_the_live_trader(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)

    install(target, made, manager, uid=501)

    assert {path.name for path in target.iterdir()} == {unit.name for unit in made}
    assert manager.loaded == {f"com.hrp.{job.name}" for job in SCHEDULE} - {"com.hrp.live-trader"}
    assert where.log_dir.is_dir()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_installing_again_changes_nothing_and_says_so(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)
    install(target, made, manager, uid=501)
    manager.asked.clear()

    actions = install(target, made, manager, uid=501)

    assert actions == [f"unchanged {unit.name}" for unit in made]
    assert manager.acts == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_only_what_changed_is_written_and_loaded_again(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)
    install(target, made, manager, uid=501)
    spoilt = made[0]
    (target / spoilt.name).write_text("an older version")

    actions = [line for line in install(target, made, manager, uid=501) if not line.startswith("unchanged")]

    refreshed = ["read the units again"] if platform is Platform.SYSTEMD else []
    assert actions == [f"unload {spoilt.label}", f"write {spoilt.name}", *refreshed, f"load {spoilt.label}"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_job_that_was_unloaded_by_hand_is_loaded_again(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)
    install(target, made, manager, uid=501)
    manager.loaded.discard("com.hrp.prices")

    assert "load com.hrp.prices" in install(target, made, manager, uid=501)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_trading_is_switched_on_and_off_by_installing_anew(where, target, platform):
    manager = ServiceManager()
    dry, armed = units(platform, where), units(platform, where, trading=True)
    install(target, dry, manager, uid=501)

    install(target, armed, manager, uid=501)
    assert "com.hrp.live-trader" in manager.loaded
    assert {path.name for path in target.iterdir()} == {unit.name for unit in armed}

    install(target, dry, manager, uid=501)
    assert "com.hrp.live-trader" not in manager.loaded
    assert {path.name for path in target.iterdir()} == {unit.name for unit in dry}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_reloading_loads_every_job_again_without_writing(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)
    install(target, made, manager, uid=501)

    actions = reload(target, made, manager, uid=501)

    wanted = [f"com.hrp.{job.name}" for job in SCHEDULE if not job.sends_orders]
    assert [line for line in actions if line.startswith("unload")] == [f"unload {label}" for label in wanted]
    assert [line for line in actions if line.startswith("load")] == [f"load {label}" for label in wanted]
    assert not any(line.startswith("write") for line in actions)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_uninstalling_unloads_removes_and_leaves_other_files_alone(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where, trading=True)
    install(target, made, manager, uid=501)
    (target / "org.example.other.plist").write_text("not ours")

    uninstall(target, units(platform, where), manager, uid=501)

    assert manager.loaded == set()
    assert [path.name for path in target.iterdir()] == ["org.example.other.plist"]
    assert uninstall(target, made, manager, uid=501) == [f"nothing is installed in {target}"]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("act", [install, reload, uninstall])
def test_a_dry_run_tells_what_would_be_done_and_asks_nobody(where, target, platform, act):
    manager = ServiceManager()
    write_units(target, units(platform, where)[:1])
    before = sorted(target.iterdir())

    actions = act(target, units(platform, where), manager, uid=501, dry_run=True)

    assert any(line.startswith("would ") for line in actions)
    assert all(line.startswith(("would ", "unchanged ")) for line in actions)
    assert manager.asked == []
    assert sorted(target.iterdir()) == before
    assert not where.log_dir.exists()


def test_a_refusal_is_an_error_with_its_words_and_a_repetition_goes_on(where, target):
    manager = ServiceManager()
    made = units(Platform.LAUNCHD, where)
    manager.refuses = True

    with pytest.raises(JobError, match=r"launchctl bootstrap gui/501 .* failed with 5: Bootstrap failed"):
        install(target, made, manager, uid=501)
    manager.refuses = False
    install(target, made, manager, uid=501)

    assert len(manager.loaded) == len(SCHEDULE) - 1


def test_without_a_login_session_nothing_is_written(where, target):
    def no_bus(command: list[str]) -> CompletedProcess[str]:
        return CompletedProcess(command, 1, "", "Failed to connect to bus: No medium found\n")

    with pytest.raises(JobError, match="No medium found; log in, or run: loginctl enable-linger"):
        install(target, units(Platform.SYSTEMD, where), no_bus, uid=501)
    assert not target.exists()


@pytest.mark.skipif(shutil.which("launchctl") is not None, reason="launchctl is here")
def test_a_machine_without_the_service_manager_is_told_what_else_to_do(where, target):
    made = units(Platform.LAUNCHD, where)

    for act in (install, reload, uninstall):
        with pytest.raises(JobError, match=r"launchctl is not on this machine.*--dry-run"):
            act(target, made, run_command, uid=501)

    assert not target.exists()
    assert {(found.file, found.loaded) for found in status(target, made, run_command, uid=501)} == {
        (FileState.MISSING, None)
    }


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_status_tells_what_is_loaded_outdated_missing_and_enabled(where, target, platform):
    manager = ServiceManager()
    made = units(platform, where)
    install(target, made, manager, uid=501)
    starters = {unit.label: unit for unit in made if unit.starts_jobs}
    prices, features, trader = (starters[f"com.hrp.{name}"] for name in ("prices", "features", "live-trader"))
    (target / prices.name).write_text("an older version")
    (target / features.name).unlink()
    (target / trader.name).rename(target / trader.other_name)
    report = starters["com.hrp.report"]
    (target / report.name).rename(target / report.other_name)

    found = {entry.name: entry for entry in status(target, made, manager, uid=501)}

    assert (found[prices.name].file, found[prices.name].loaded) == (FileState.OUTDATED, True)
    assert found[features.name].file is FileState.MISSING
    assert (found[trader.name].file, found[trader.name].loaded) == (FileState.ENABLED, False)
    assert found[report.name].file is FileState.DISABLED
    assert found[starters["com.hrp.quality"].name].file is FileState.CURRENT
