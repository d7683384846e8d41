"""Checks of a session as a whole: each is a function of the board and of what its bars were flagged for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hrp.domain.quality.board import BACK_SESSIONS, Board, Mask, back, middle
from hrp.domain.quality.flags import UNFINISHED_VOLUME, Flag, SecondVendor

CROWD_SHARE = 0.10  # of the names: the feed, not the names, is at fault ...
CROWD_LEAST = 1  # ... if it is more than one
THIN_VOLUME = 0.20  # of the usual; the thinnest whole sessions of twenty years, between the holidays, had a quarter
THIN_SHORT_VOLUME = 0.12  # the same for a session of three and a half hours instead of six and a half
THIN_LEAST = 5  # the volume of fewer names is not the market's
UNFINISHED_AWAY = 0.005
UNFINISHED_SHARE = 0.05  # of the closes; of finished sessions 98 % agree to a tenth of UNFINISHED_AWAY


@dataclass(frozen=True)
class Alarm:
    """Sessions that a check stops, and what was seen in one."""

    check: str
    rows: Mask
    text: Callable[[int], str]


def alarms(board: Board, flags: Mapping[str, Flag], second: SecondVendor, floor: float) -> Iterator[Alarm]:
    """Faults of whole sessions; `flags` has what every check of bars has marked."""
    yield _coverage(board, flags, floor)
    yield _hole(board)
    yield _crowd(board, "FROZEN_FEED", "repeated", flags["REPEATED_BAR"].mask | flags["REPEATED_PRICES"].mask)
    yield _crowd(board, "REVERSED_SESSION", "reversed", flags["CLOSE_REVERSED"].acting)
    yield _unfinished(board, second)


def _coverage(board: Board, flags: Mapping[str, Flag], floor: float) -> Alarm:
    size = board.expected.sum(axis=1)
    absent = np.logical_or.reduce([flags[check].mask for check in ("MISSING_BAR", "NULL_PRICE", "BAD_PRICE")])
    usable = (~absent & board.expected).sum(axis=1)
    share = np.divide(usable, size, out=np.zeros(len(size)), where=size > 0)

    def text(i: int) -> str:
        return f"usable={usable[i]}, expected={size[i]}, share={share[i]:.1%}, required={floor:.1%}"

    return Alarm("COVERAGE", share < floor, text)


def _hole(board: Board) -> Alarm:
    names = np.asarray(np.isfinite(board.bars["close"]).sum(axis=1), np.float64)[:, None]
    earlier = np.logical_or.reduce([back(names, sessions) > 0 for sessions in range(2, BACK_SESSIONS + 1)])
    return Alarm(
        "MISSING_SESSION", ((back(names) == 0) & earlier)[:, 0], lambda i: f"no bar of {board.sessions[i - 1]}"
    )


def _crowd(board: Board, check: str, word: str, mask: Mask) -> Alarm:
    found, size = (mask & board.expected).sum(axis=1), board.expected.sum(axis=1)
    return Alarm(
        check, found > np.fmax(CROWD_SHARE * size, CROWD_LEAST), lambda i: f"{word}={found[i]}, expected={size[i]}"
    )


def _unfinished(board: Board, second: SecondVendor) -> Alarm:
    volume, names = middle(board.activity)[:, 0], np.isfinite(board.activity).sum(axis=1)
    known = np.isfinite(second.away).sum(axis=1)
    away = (np.abs(second.away) > UNFINISHED_AWAY).sum(axis=1) / np.fmax(known, 1)
    theirs = second.volume[:, 0]
    thin = (volume < np.where(board.short_days, THIN_SHORT_VOLUME, THIN_VOLUME)) & (names >= THIN_LEAST)
    short = (theirs < UNFINISHED_VOLUME) & (away > UNFINISHED_SHARE)

    def text(i: int) -> str:
        seen = f"volume={volume[i]:.0%} of the usual"
        return f"{seen}, {theirs[i]:.0%} of the second vendor's, {away[i]:.0%} of closes off" if short[i] else seen

    return Alarm("UNFINISHED_SESSION", thin | short, text)
