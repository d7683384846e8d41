"""Checks of single bars: against themselves, their own past, the market of the day, and a second vendor.

Each check is a function of a whole board to a mask of it, and reads no later row than its own: the findings of a night
are the last row of the same masks that a whole history has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hrp.domain.quality.board import (
    BACK_SESSIONS,
    NORMAL,
    PRICES,
    VOLUME_SESSIONS,
    Board,
    Mask,
    Matrix,
    back,
    last,
    middle,
    usable,
    usual,
)

NOISE_SESSIONS = 60  # a quarter: long enough for a steady median, short enough to follow a name's mood
NOISE_LEAST = 20  # below this many gaps a name has no usual one
NOISE_FLOOR = 0.001  # no name is quieter than this: a tick of a cheap stock must not look like many deviations
STALE_SESSIONS = 6
SEEN_SESSIONS = 10  # how far back a bar is recognised
SLIP_TOLERANCE = 0.04  # in decades: a tenth or ten times, give or take a day's move of 10 %
JUMP_FLOOR = 0.25  # log return from the market's median: few names a year move so far on news, and most splits do
JUMP_SDS = 12.0  # robust deviations of the day's cross-section: on a wild day everything moves
SHIFT_FLOOR = 0.12  # an opening this far away ...
SHIFT_GAPS = 10.0  # ... and this many of the name's usual gaps ...
SHIFT_VOLUME = 3.0  # ... without the crowd that news of this size brings: spin-offs and special dividends trade calmly
REVERSED_GAPS = 8.0  # a displacement, in the name's usual gaps, that the next open takes back
REVERSED_RETURNS = 5.0  # the same for a close alone; a day's return is the wider measure
CROWD_GAPS = 3.0  # if more names than CROWD_SHARE are displaced by this much, usually one in 2,000, ...
CROWD_SHARE = 0.01
CROWD_LEAST = 5
CROWDED_GAPS = 2.0  # ... the session itself is in doubt, and this much is enough
VENDOR_TOLERANCE = 0.01  # two vendors' closes of one session: rounding and odd lots stay far below
VENDOR_SAME = 5e-4  # a ratio of closes that repeats this closely is a new level, not another wrong close
UNFINISHED_VOLUME = 0.75  # of what the other vendor has, relative to the usual share of it


@dataclass(frozen=True)
class Flag:
    """Cells of the board that a check marks; `text` says what was seen in one, `excused` makes it a mere warning."""

    check: str
    mask: Mask
    text: Callable[[int, int], str]
    excused: Mask | None = None

    @property
    def acting(self) -> Mask:
        """The marked cells that are more than a warning."""
        return self.mask if self.excused is None else self.mask & ~self.excused


def bar_flags(board: Board) -> Iterator[Flag]:
    """What a bar says against itself."""
    bars = board.bars
    prices = np.stack([bars[name] for name in PRICES])
    missing, bad = np.isnan(prices), (prices <= 0) | np.isinf(prices)
    high, low = np.fmax(bars["open"], bars["close"]), np.fmin(bars["open"], bars["close"])
    absent: Mask = np.logical_and.reduce(missing)
    whole: Mask = np.logical_and.reduce(~missing)
    yield Flag("MISSING_BAR", absent & board.expected, lambda *_: "no bar")
    yield Flag(
        "NULL_PRICE", ~absent & ~whole,
        lambda i, j: f"null={'/'.join(name for name, null in zip(PRICES, missing[:, i, j], strict=True) if null)}",
    )  # fmt: skip
    yield Flag("BAD_PRICE", np.logical_or.reduce(bad), lambda i, j: f"lowest={np.nanmin(prices[:, i, j]):g}")
    yield Flag(
        "OHLC_VIOLATION", whole & ((bars["high"] < high) | (bars["low"] > low) | (bars["high"] < bars["low"])),
        lambda i, j: ", ".join(f"{name}={price:g}" for name, price in zip(PRICES, prices[:, i, j], strict=True)),
    )  # fmt: skip
    yield Flag("ZERO_VOLUME", bars["volume"] <= 0, lambda i, j: f"volume={bars['volume'][i, j]:g}")


def decimal_slip(board: Board) -> Flag:
    """A price that is a power of ten away from the median of the last closes."""
    level = usual(board.prices["close"], BACK_SESSIONS, 1)
    decades = np.stack([np.log10(board.prices[name] / level) for name in PRICES])
    nearest = np.round(decades)
    slips = (nearest != 0) & (np.abs(decades - nearest) <= SLIP_TOLERANCE)

    def text(i: int, j: int) -> str:
        k = int(np.argmax(slips[:, i, j]))
        return f"{PRICES[k]}={board.bars[PRICES[k]][i, j]:g}, times={10 ** nearest[k, i, j]:g}"

    return Flag("DECIMAL_SLIP", np.logical_or.reduce(slips), text)


def repeated(board: Board, vouched: Mask) -> Iterator[Flag]:
    """A bar that has been there before. Of two equal bars either may be the wrong one."""
    now = board.bars
    ranged = now["high"] > now["low"]  # a name with one price a day may well have the same one again
    same = _same_prices(board, 1)
    all_five = same & (now["volume"] == back(now["volume"]))
    prices_only = same & ranged & ~all_five
    yield Flag("REPEATED_BAR", all_five, lambda i, j: f"close={now['close'][i, j]}, bar={board.sessions[i - 1]}")
    both = vouched & _before(vouched)
    yield Flag(
        "REPEATED_PRICES", prices_only, lambda i, j: f"close={now['close'][i, j]}, bar={board.sessions[i - 1]}", both
    )
    age = np.zeros(same.shape, int)
    for sessions in range(SEEN_SESSIONS, 1, -1):
        age[_same_prices(board, sessions) & ranged] = sessions
    yield Flag(
        "BAR_SEEN_BEFORE", (age > 0) & ~same,
        lambda i, j: f"close={now['close'][i, j]}, bar={board.sessions[i - age[i, j]]}",
    )  # fmt: skip


def _same_prices(board: Board, sessions: int) -> Mask:
    same: Mask = np.logical_and.reduce([board.bars[name] == back(board.bars[name], sessions) for name in PRICES])
    return same


def _before(mask: Mask) -> Mask:
    before: Mask = back(mask.astype(np.float64)) == 1
    return before


def stale(board: Board) -> Flag:
    """A close that has not moved."""
    close = board.bars["close"]
    still = np.logical_and.reduce([close == back(close, sessions) for sessions in range(1, STALE_SESSIONS)])
    return Flag("STALE_SERIES", still, lambda *_: f"sessions>={STALE_SESSIONS}")


def strays(board: Board) -> Flag:
    """A bar on a day without a session."""
    mask = np.zeros(board.expected.shape, bool)
    for cell in board.strays:
        mask[cell] = True
    return Flag("NON_SESSION_BAR", mask, lambda i, j: f"bar={board.strays[i, j]}")


@dataclass(frozen=True)
class Moves:
    """How far each bar lies from the last close, as log returns: as they are, and less the market's median."""

    plain: Matrix  # close to close
    plain_gap: Matrix  # close to open
    whole: Matrix  # `plain` less the market
    gap: Matrix  # `plain_gap` less the market
    noise: Matrix  # the usual size of the name's `whole`, as a standard deviation
    gap_noise: Matrix  # the same of `gap`
    wild: Matrix  # a column: how many times their usual size the gaps of the market have, at least 1

    @classmethod
    def of(cls, board: Board, slipped: Mask) -> Moves:
        """`slipped` bars move nothing: the next bar is held against the one before them."""
        opened, close = (np.where(slipped, np.nan, np.log(board.prices[name])) for name in ("open", "close"))
        plain, plain_gap = close - last(close), opened - last(close)
        whole, gap = plain - middle(plain), plain_gap - middle(plain_gap)
        gap_noise = _noise(gap)
        wild = np.fmax(1.0, NORMAL * middle(np.abs(gap) / gap_noise))
        return cls(plain, plain_gap, whole, gap, _noise(whole), gap_noise, wild)


def _noise(moves: Matrix) -> Matrix:
    return np.maximum(NORMAL * usual(np.abs(moves), NOISE_SESSIONS, NOISE_LEAST), NOISE_FLOOR)


def jumps(moves: Moves, reversed_: Mask) -> Flag:
    """A return far from the cross-section: an unrecorded split, or real news; a person decides."""
    distance = np.abs(moves.whole)
    far = distance > np.fmax(JUMP_FLOOR, JUMP_SDS * NORMAL * middle(distance))
    return Flag("PRICE_JUMP", far & ~reversed_, lambda i, j: f"return={np.expm1(moves.plain[i, j]):+.1%}")


def level_shift(board: Board, moves: Moves, explained: Mask) -> Flag:
    """A quiet step to another level: a spin-off, a special dividend or a change of scale without a record."""
    crowd = board.activity / middle(board.activity)
    far = np.abs(moves.gap) > np.fmax(SHIFT_FLOOR, SHIFT_GAPS * moves.gap_noise * moves.wild)
    return Flag(
        "LEVEL_SHIFT", far & (crowd < SHIFT_VOLUME) & ~explained,
        lambda i, j: f"gap={np.expm1(moves.plain_gap[i, j]):+.1%}, volume={crowd[i, j]:.1f}x",
    )  # fmt: skip


def reversed_close(board: Board, moves: Moves, vouched: Mask) -> Flag:
    """The bar before, or its close alone, lay away from its past, and this one opens where the past had been.

    The smaller of the two moves, less half of what is left of them, in the name's usual gaps (for a close alone: in its
    usual returns); these are widened on days on which the gaps of the whole market are. A crowd of such bars lowers
    the bar for each.
    """
    home, wild = moves.gap, np.fmax(moves.wild, back(moves.wild))

    def score(out: Matrix, noise: Matrix) -> Matrix:
        left = np.abs(back(moves.whole) + home)
        kept = np.where(out * home < 0, np.fmin(np.abs(out), np.abs(home)) - left / 2, np.nan)
        return kept / (noise * wild)

    out = back(moves.gap)
    gaps = score(out, back(moves.gap_noise))
    displaced, names = (gaps > CROWD_GAPS).sum(axis=1), np.isfinite(out + home).sum(axis=1)
    crowded = (displaced >= CROWD_LEAST) & (displaced > CROWD_SHARE * names)
    mask = gaps > np.where(crowded, CROWDED_GAPS, REVERSED_GAPS)[:, None]
    mask |= score(back(moves.whole), back(moves.noise)) > REVERSED_RETURNS

    def text(i: int, j: int) -> str:
        away, taken = np.expm1(moves.plain[i - 1, j]), np.expm1(moves.plain_gap[i, j])
        return f"away={away:+.1%}, back={taken:+.1%}, bar={board.sessions[i - 1]}"

    return Flag("CLOSE_REVERSED", mask, text, _before(vouched))


@dataclass(frozen=True)
class SecondVendor:
    """What another vendor says of the closes."""

    away: Matrix  # log distance of the close from what the second vendor and the level of late imply
    volume: Matrix  # a column: the market's volume in shares of the second vendor's, relative to the usual share
    off: Mask  # the close is one of the two vendors' error, or a step that one of them has adjusted

    @classmethod
    def of(cls, board: Board) -> SecondVendor:
        """A session that the second vendor has not finished is no witness."""
        theirs = usable(board.second["volume"])
        share = middle(usable(board.bars["volume"]) / theirs)
        volume = share / usual(share, VOLUME_SESSIONS, BACK_SESSIONS)
        close = np.where(volume > 1 / UNFINISHED_VOLUME, np.nan, usable(board.second["close"]))
        away, off = _distance(usable(board.bars["close"]), close)
        adjusted, also_off = _distance(board.prices["close"], close)
        return cls(np.where(also_off, away, adjusted), volume, off & also_off)

    @property
    def vouched(self) -> Mask:
        """Closes that both vendors have."""
        return np.isfinite(self.away) & ~self.off

    def flag(self) -> Flag:
        return Flag("VENDOR_CLOSE", self.off, lambda i, j: f"off={np.expm1(self.away[i, j]):+.1%}")


def _distance(ours: Matrix, theirs: Matrix) -> tuple[Matrix, Mask]:
    ratio = np.log(ours / theirs)
    away = ratio - usual(ratio, BACK_SESSIONS, 1)
    return away, (np.abs(away) > VENDOR_TOLERANCE) & ~(np.abs(ratio - last(ratio)) <= VENDOR_SAME)
