"""Frames and fields."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hrp.gateway import control
from hrp.gateway.errors import ProtocolError
from hrp.gateway.wire import FieldReader, Frames, decimal_of, fields_of, frame, payload_length, split


def test_a_frame_is_a_length_and_texts_that_each_end_with_nul():
    assert frame(["9", "1", "7"]) == b"\0\0\0\x069\x001\x007\0"
    assert payload_length(b"\0\0\0\x06") == 6
    assert split(b"9\x001\x007\0") == ("9", "1", "7")


def test_a_payload_that_does_not_end_with_nul_is_refused():
    with pytest.raises(ProtocolError, match="does not end with NUL"):
        split(b"9\x001")


def test_a_length_that_no_message_has_is_refused():
    with pytest.raises(ProtocolError, match="announces"):
        payload_length(b"GET ")


def test_values_are_written_in_full_and_booleans_as_digits():
    assert fields_of("a", 3, Decimal("1E+2"), Decimal("0.10"), True) == ("a", "3", "100", "0.10", "1")


@pytest.mark.parametrize("unset", ["", "1.7976931348623157E308", "1.7976931348623157e+308", "2147483647"])
def test_every_way_to_say_unset_is_understood(unset):
    reader = FieldReader((unset, unset, unset, unset), 176)
    assert (reader.decimal(), reader.integer(), reader.flag(), reader.value()) == (None, 0, False, "")


def test_a_message_that_is_too_short_or_too_long_is_refused():
    reader = FieldReader(("3", "x"), 176)
    with pytest.raises(ProtocolError, match="has 2 fields too many"):
        reader.finish()
    reader.text(), reader.text()
    with pytest.raises(ProtocolError, match="message 3 ends after 2 fields"):
        reader.text()


@pytest.mark.parametrize("text", ["x", "NaN", "Infinity", "1,5", "1E+999999"])
def test_a_text_that_is_no_finite_number_is_refused(text):
    with pytest.raises(ProtocolError):
        decimal_of(text)


NO_COMMANDS = ["", "GET / HTTP/1.1", "[]", '"stop"', "{}", '{"command": "halt"}', '{"command": "advance"}']
NO_INSTANTS = ['{"command": "advance", "to": "2024-01-03T22:00:00"}', '{"command": "advance", "to": "noon"}']


@pytest.mark.parametrize("line", [*NO_COMMANDS, *NO_INSTANTS])
def test_a_line_that_is_no_control_command_is_none(line):
    assert control.parse(line.encode()) is None


def test_frames_are_cut_out_of_whatever_arrives():
    frames, whole = Frames(), frame(["49", "1"])
    assert list(frames.cut(whole[:5])) == []
    assert frames.waiting() == 5
    assert list(frames.cut(whole[5:] + whole + whole[:1])) == [b"49\x001\0", b"49\x001\0"]
    assert frames.waiting() == 1
    cut = frames.cut(whole[1:] + b"\x7f\xff\xff\xff")
    assert next(cut) == b"49\x001\0"
    with pytest.raises(ProtocolError, match="announces"):
        next(cut)
