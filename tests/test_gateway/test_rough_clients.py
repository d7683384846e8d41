"""Clients that break the protocol: their session ends or is told so, the log says why, nobody else notices."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrp.gateway import client
from hrp.gateway.layouts import INBOUND, LAYOUTS

from .support import RawClient, Teller, at, close_desks, open_desk, order_fields

HELLO = b"API\0" + struct.pack(">I", 9) + b"v157..176"

ROUGH = {
    "no greeting": (b"AP", "session ended: the client hung up after b'AP'"),
    "another protocol": (b"GET / HTTP/1.1\r\n", "session ended: it began with b'GET ', not with b'API\\x00'"),
    "no common version": (HELLO[:-9] + b"v100..150", "session ended: no common version in 'v100..150'"),
    "half a frame": (
        HELLO + b"\0\0\0\x20" + b"71\x00",
        "session ended: the client hung up within a frame, after 7 bytes",
    ),
    "a huge length": (
        HELLO + b"\x7f\xff\xff\xff",
        "session ended: a frame announces 2147483647 bytes, at most 1048576",
    ),
    "no final NUL": (HELLO + b"\0\0\0\x02" + b"49", "session ended: a payload of 2 bytes does not end with NUL"),
}


@pytest.mark.parametrize("name", ROUGH)
def test_a_session_that_breaks_the_frames_ends_with_a_line_in_the_log(process, name):
    sent, words = ROUGH[name]
    with RawClient(process.running.port) as bystander, RawClient(process.running.port) as rough:
        bystander.greet(client_id=50)
        bystander.read_until("9")
        rough.socket.sendall(sent)
        rough.socket.shutdown(1)
        while rough.read():
            pass
        bystander.send("49", "1")
        assert bystander.read_until("49")[-1][0] == "49"
    assert any(words in note.fields[0] for note in client.message_log(process.state, direction="note"))


@pytest.mark.parametrize("broken", [b"\x7f\xff\xff\xff", b"\0\0\0\x02" + b"49"])
def test_what_came_whole_before_a_broken_frame_is_done(process, broken):
    client_id = 70 + len(broken)
    with RawClient(process.running.port) as rough:
        rough.greet(client_id=client_id)
        rough.read_until("9")
        rough.socket.sendall(rough.framed(*order_fields(1, "BUY", 1, tif="GTC", limit="1")) + broken)
        assert rough.read_until("5")[-1][1] == "1"
        assert rough.read_until("nothing")[-1] == []
    with RawClient(process.running.port) as again:
        again.greet(client_id=client_id)
        assert again.read_until("9")[-1] == ["9", "1", "2"]


def test_a_message_before_start_api_or_of_no_kind_is_answered_by_error_320(process):
    with RawClient(process.running.port) as rough:
        rough.socket.sendall(HELLO)
        assert rough.read()[0] == "176"
        for message in (("49", "1"), ("4711",), ("",), ("3", "x"), order_fields(1, "BUY", 1)[:-1]):
            rough.send(*message)
            assert rough.read()[2:4] == ["-1", "320"]
        rough.send("71", "2", "99", "")
        assert rough.read_until("9")[-1][0] == "9"


def test_a_hundred_connects_in_a_row_leave_nothing_behind(process):
    def held() -> int:
        return len(list((Path("/proc") / str(process.running.pid) / "fd").iterdir()))

    def once() -> None:
        with RawClient(process.running.port) as raw:
            raw.greet(client_id=60)
            raw.read_until("9")
            raw.socket.shutdown(1)
            while raw.read():
                pass

    once()
    before = (held(), client.status(process.state).clients)
    for _ in range(100):
        once()
    assert (held(), client.status(process.state).clients) == before


TEXTS = st.one_of(
    st.sampled_from(
        ["", "0", "1", "-1", "2147483647", "1E+999999", "9" * 30, "1.7976931348623157E308", "AAA", "²", "NaN"]
    ),
    st.integers().map(str),
    st.text(st.characters(exclude_characters="\0"), max_size=12),
)
LENGTHS = {number: len(layout.fields) for number, layout in LAYOUTS[INBOUND].items()}


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, ...]:
    """A message of a known number: an order with a few odd fields, or as many odd fields as it has, or some more."""
    number = draw(st.sampled_from(sorted(LENGTHS)))
    if number == 3:
        fields = order_fields(draw(st.integers(1, 50)), "BUY", 1)
        for place in draw(st.lists(st.integers(1, len(fields) - 1), max_size=4)):
            fields[place] = draw(TEXTS)
        return tuple(fields)
    count = LENGTHS[number] + draw(st.integers(0, 3))
    return (str(number), *draw(st.lists(TEXTS, min_size=count, max_size=count)))


@settings(max_examples=400, deadline=None)
@given(asked=messages())
def test_no_message_of_whatever_fields_breaks_the_desk(shared, asked):
    shared.ask(*asked)
    assert shared.ask("49", "1") == [("49", "1", str(int(at(3, 15).timestamp())))]


CONTRACT = ("0", "AAA", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def history(end: str, duration: str) -> tuple[str, ...]:
    return ("20", "6", *CONTRACT, "0", end, "1 day", duration, "1", "TRADES", "1", "0", "")


def order(place: int, text: str, **terms: str) -> tuple[str, ...]:
    fields = order_fields(9, "BUY", 1, **terms)
    fields[place] = text
    return tuple(fields)


ODD = {
    "a last instant": (history("99991231 23:59:59", "2 D"), ["4", "162"]),
    "a first instant": (history("00010101 00:00:00", "2 D"), ["4", "162"]),
    "a count in other digits": (history("", "² D"), ["4", "162"]),
    "more years than there are": (history("", "99999999 Y"), ["17", "1"]),
    "more sessions than there are": (history("", "99999999 D"), ["17", "1"]),
    "a contract of twenty digits": (("9", "8", "6", "9" * 20, *CONTRACT[1:], "0", "", "", ""), ["4", "320"]),
    "a contract of ten digits": (("9", "8", "6", "9" * 10, *CONTRACT[1:], "0", "", "", ""), ["4", "200"]),
    "an order for a contract in other digits": (order(2, "²"), ["4", "320"]),
    "an order for too great a contract": (order(2, "9" * 15), ["4", "200"]),
    "an order of endless size": (order(17, "1E+999999999"), ["4", "320"]),
    "an order good till the end of time": (order(38, "99991231 23:59:59", tif="GTD"), ["4", "321"]),
}


@pytest.mark.parametrize("name", ODD)
def test_values_that_nothing_can_mean_are_answered(tmp_path, name):
    asked, answer = ODD[name]
    [told] = Teller(open_desk(tmp_path, at(3, 15))).ask(*asked)
    assert [told[0], told[4] if told[0] == "17" else told[3]] == answer


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    yield Teller(open_desk(tmp_path_factory.mktemp("rough"), at(3, 15)))
    close_desks()
