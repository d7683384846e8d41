"""Scenario files: what they may say, and what they are told when they say something else."""

from __future__ import annotations

import pytest

from hrp.errors import ConfigError
from hrp.gateway import scenario
from hrp.gateway.effects import KINDS, Drop
from hrp.gateway.layouts import LAYOUTS


def written(tmp_path, when: str = "{message: placeOrder}", do: str = "{drop: after}", top: str = ""):
    """A file with one fault."""
    path = tmp_path / "storm.yaml"
    path.write_text(f"about: A storm.\nseen: at sea\n{top}faults:\n  - when: {when}\n    do: {do}\n")
    return path


def test_a_file_is_read_and_written_back(tmp_path):
    said = "{message: placeOrder, symbol: ON, nth: 2, times: always, chance: 0.5, client: 7, orders: 3}"
    read = scenario.load(written(tmp_path, said, top="seed: 4\n"))
    assert (read.name, read.about, read.seen, read.seed) == ("storm", "A storm.", "at sea", 4)
    [fault] = read.faults
    assert fault.effect == Drop("after")
    assert fault.trigger == scenario.Trigger(("placeOrder",), "ON", 7, nth=2, times=None, orders=3, chance=0.5)
    (tmp_path / "again").mkdir()
    again = tmp_path / "again" / "storm.yaml"
    again.write_text(read.text())
    assert scenario.load(again) == read


REFUSED = [
    ("{mesage: placeOrder}", "lose", "fault 1: when has the unknown key 'mesage'; allowed: message, symbol"),
    ("{message: order}", "lose", "message 'order' is none; one of: accountDownloadEnd"),
    ("{message: [placeOrder, openOrder]}", "lose", "some that come in and some that go out"),
    ("{message: placeOrder, nth: 0}", "lose", "nth is '0', not a whole number from 1 on"),
    ("{message: placeOrder, times: often}", "lose", "times \\(or always\\) is 'often'"),
    ("{message: placeOrder, chance: 2}", "lose", "chance is '2', not a fraction"),
    ("{message: placeOrder, chance: often}", "lose", "chance is 'often', not a fraction"),
    ("{message: placeOrder, where: {colour: red}}", "lose", "placeOrder has no field 'colour'; one of: order_id"),
    ("{message: placeOrder, where: red}", "lose", "where is 'red', not fields"),
    ('{at: "25:00"}', "restart", "at is '25:00', not 23:45"),
    ("{at: 2024-01-02T23:45:00}", "restart", "without a zone; write 2024-01-02T23:45:00\\+00:00"),
    ("{symbol: AAA}", "restart", "without a message it needs at or orders"),
    ("placeOrder", "lose", "when is 'placeOrder', not keys and values"),
    ("{message: placeOrder}", "explode", "'explode' is no effect; one of: drop, restart"),
    ("{message: placeOrder}", "{drop: between}", "drop: when is 'between'; one of: before, after"),
    ("{message: placeOrder}", "{drop: {how: hard}}", "drop takes when, not how"),
    ("{message: placeOrder}", "{refuse: {text: no}}", "refuse needs code"),
    ("{message: placeOrder}", "{refuse: {code: no}}", "refuse: code is 'no', not a whole number"),
    ("{message: placeOrder}", "{refuse: {code: [1]}}", "code is \\['1'\\], not one value"),
    ("{message: placeOrder}", "{lose: all}", "lose takes nothing, not value"),
    (
        "{message: placeOrder}",
        "{repeat: 2}",
        "this effect is for a message that goes out, not for a message that comes",
    ),
    ("{message: openOrder}", "empty", "for a message that comes in, not for a message that goes out"),
    ("{}", "{partial: many}", "partial: share is 'many', not a number"),
    ("{message: openOrder}", "{change: {field: colour, to: red}}", "openOrder has no field 'colour'"),
    ("{message: openOrder}", "{late: {}}", "needs a field: late messages or seconds"),
    ("{message: openOrder}", "{correct: {price: 1}}", "for execDetails alone, not for openOrder"),
    ("{message: reqPositions}", "reject", "for placeOrder alone, not for reqPositions"),
    ("{message: openOrder, rate: 5}", "lose", "rate needs a message that comes in"),
    ("{}", "{partial: 1.5}", "share is 1.5, not a fraction"),
    ("{message: orderStatus}", "{overtake: placeOrder}", "'placeOrder' is no message that goes out"),
]


@pytest.mark.parametrize(("when", "do", "words"), REFUSED)
def test_a_fault_that_cannot_happen_is_refused_with_file_number_and_choice(tmp_path, when, do, words):
    path = written(tmp_path, when, do)
    with pytest.raises(ConfigError, match=words) as refused:
        scenario.load(path)
    assert str(refused.value).startswith(f"{path}: fault 1: ")


FILES = [
    ("about: x\nfaults: []\n", "the file lacks seen"),
    ("about: x\nseen: y\nfaults: []\n", "at least one fault"),
    ("about: x\nseen: y\nwind: 9\nfaults: []\n", "unknown key 'wind'"),
    ("about: x\nseen: y\nfaults: [{when: {}}]\n", "fault 1: a fault lacks do"),
    ("about: x\nseen: y\nseed: calm\nfaults: [{when: {}, do: x}]\n", "seed is 'calm'"),
    ("- a list\n", "not keys and values: about, seen, seed, faults"),
    ("about: [\n", "is not YAML"),
]


@pytest.mark.parametrize(("text", "words"), FILES)
def test_a_file_that_is_no_scenario_is_refused(tmp_path, text, words):
    (tmp_path / "storm.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        scenario.load(tmp_path / "storm.yaml")


def test_a_name_that_nobody_has_is_refused():
    with pytest.raises(ConfigError, match=r"no scenario 'storm-of-the-century'.*hrp gateway scenarios"):
        scenario.load("storm-of-the-century")


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_of_the_library_says_what_happens_and_where_it_was_seen(name):
    read = scenario.load(name)
    assert read.about.endswith(".")
    assert read.seen
    assert read.name == name


def test_the_library_uses_every_effect_and_names_messages_that_exist():
    faults = [fault for name in scenario.names() for fault in scenario.load(name).faults]
    assert {type(fault.effect) for fault in faults} == set(KINDS.values())
    named = {message for fault in faults for message in fault.trigger.messages}
    assert named <= {layout.name for layouts in LAYOUTS.values() for layout in layouts.values()}


def test_scenarios_are_combined_into_one_that_can_be_written_down(tmp_path):
    both = scenario.combine([scenario.load("order-lost"), scenario.load("commission-late")], seed=11)
    assert (both.name, both.seed) == ("order-lost+commission-late", 11)
    path = tmp_path / f"{both.name}.yaml"
    path.write_text(both.text())
    assert scenario.load(path) == both
    assert both.digest() != scenario.combine([scenario.load("order-lost")], seed=11).digest()
