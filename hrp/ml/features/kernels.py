"""Compiled loops over a dense [session × symbol] matrix; what they mean stands in `operations`.

Every value is made of its own window alone, in an order that the window's length fixes: nothing is carried from row
to row, so a row has the same bits wherever the matrix begins. A missing value anywhere in a window makes it missing.
Rows before the first whole window are missing. Loops run across symbols inside, so that they become vector
instructions, and over tiles of symbols outside, so that a window stays in the processor's cache.

This module imports numba and is itself imported when a formula first needs it. Kernels are compiled once and kept on
disk where that is possible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hrp.ml.features.panel import Matrix

TILE = 32


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for the cache can be written
        return njit(nogil=True)(function)


@_compiled
def total(x: Matrix, window: int) -> Matrix:
    """Sums by doubling: of 1, 2, 4, … sessions, of which those that make up `window` are added, newest first."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    part = np.empty((rows, min(TILE, columns)))
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(rows):
            for s in range(width):
                part[t, s] = x[t, left + s]
        span, done = 1, 0
        while span <= window:
            if window & span:
                for t in range(window - 1, rows):
                    for s in range(width):
                        added = part[t - done, s]
                        out[t, left + s] = added if done == 0 else out[t, left + s] + added
                done += span
            if 2 * span <= window:
                for t in range(rows - 1, span - 1, -1):
                    for s in range(width):
                        part[t, s] += part[t - span, s]
            span *= 2
    return out


@_compiled
def highest(x: Matrix, window: int) -> Matrix:
    """By doubling too: a maximum does not mind that the last two stretches overlap."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    part = np.empty((rows, min(TILE, columns)))
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(rows):
            for s in range(width):
                part[t, s] = x[t, left + s]
        span = 1
        while 2 * span <= window:
            for t in range(rows - 1, span - 1, -1):
                for s in range(width):
                    a, b = part[t, s], part[t - span, s]
                    part[t, s] = a if a >= b or a != a else b
            span *= 2
        for t in range(window - 1, rows):
            for s in range(width):
                a, b = part[t, s], part[t - (window - span), s]
                out[t, left + s] = a if a >= b or a != a else b
    return out


@_compiled
def comoment(x: Matrix, y: Matrix, window: int) -> Matrix:
    """Sum of products of the deviations of x and y from their means (with x twice: the variation of x).

    Doubled like a sum, each step joining two stretches by the means and comoments of both (Chan, Golub and LeVeque
    1983), so that nothing cancels and a value that never changes has a variation of exactly 0.
    """
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    part = np.empty((3, rows, min(TILE, columns)))
    both = np.empty((3, rows, min(TILE, columns)))
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(rows):
            for s in range(width):
                part[0, t, s], part[1, t, s], part[2, t, s] = x[t, left + s], y[t, left + s], 0.0
        span, done = 1, 0
        while span <= window:
            if window & span:
                share = span / (span + done)
                for t in range(window - 1, rows):
                    for s in range(width):
                        a, b, c = part[0, t - done, s], part[1, t - done, s], part[2, t - done, s]
                        if done > 0:
                            da, db = a - both[0, t, s], b - both[1, t, s]
                            a, b = both[0, t, s] + share * da, both[1, t, s] + share * db
                            c += both[2, t, s] + done * share * (da * db)
                        both[0, t, s], both[1, t, s], both[2, t, s] = a, b, c
                done += span
            if 2 * span <= window:
                for t in range(rows - 1, span - 1, -1):
                    for s in range(width):
                        da, db = part[0, t - span, s] - part[0, t, s], part[1, t - span, s] - part[1, t, s]
                        part[0, t, s] += 0.5 * da
                        part[1, t, s] += 0.5 * db
                        part[2, t, s] += part[2, t - span, s] + 0.5 * span * (da * db)
            span *= 2
        for t in range(window - 1, rows):
            for s in range(width):
                out[t, left + s] = both[2, t, s]
    return out


@_compiled
def trend(x: Matrix, window: int) -> Matrix:
    """Comoment of x with time in sessions, by the same doubling: how far apart two stretches lie is known."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    part = np.empty((2, rows, min(TILE, columns)))
    both = np.empty((2, rows, min(TILE, columns)))
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(rows):
            for s in range(width):
                part[0, t, s], part[1, t, s] = x[t, left + s], 0.0
        span, done = 1, 0
        while span <= window:
            if window & span:
                share, apart = span / (span + done), 0.5 * (span + done)
                for t in range(window - 1, rows):
                    for s in range(width):
                        a, c = part[0, t - done, s], part[1, t - done, s]
                        if done > 0:
                            da = a - both[0, t, s]
                            a = both[0, t, s] + share * da
                            c += both[1, t, s] - done * share * apart * da
                        both[0, t, s], both[1, t, s] = a, c
                done += span
            if 2 * span <= window:
                for t in range(rows - 1, span - 1, -1):
                    for s in range(width):
                        da = part[0, t - span, s] - part[0, t, s]
                        part[0, t, s] += 0.5 * da
                        part[1, t, s] += part[1, t - span, s] - 0.5 * span * span * da
            span *= 2
        for t in range(window - 1, rows):
            for s in range(width):
                out[t, left + s] = both[1, t, s]
    return out


@_compiled
def weighted(x: Matrix, weights: Matrix) -> Matrix:
    """Sum of weights[age] × (value of that age less the newest value)."""
    rows, columns = x.shape
    window = len(weights)
    out = np.full(x.shape, np.nan)
    for left in range(0, columns, TILE):
        right = min(left + TILE, columns)
        for t in range(window - 1, rows):
            for s in range(left, right):
                out[t, s] = 0.0 * x[t, s]
            for age in range(1, window):
                weight = weights[age]
                for s in range(left, right):
                    out[t, s] += weight * (x[t - age, s] - x[t, s])
    return out


@_compiled
def rank(x: Matrix, window: int) -> Matrix:
    """Rank of the newest value in its window, 1 to `window`, ties averaged."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    below, above, missing = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(window - 1, rows):
            below[:], above[:], missing[:] = 0.0, 0.0, 0.0
            new = x[t, left : left + width]
            for age in range(window):
                old = x[t - age, left : left + width]
                for s in range(width):
                    below[s] += 1.0 if old[s] < new[s] else 0.0
                    above[s] += 1.0 if old[s] > new[s] else 0.0
                    missing[s] += old[s] - old[s]
            for s in range(width):
                out[t, left + s] = 0.5 * (window + 1.0 + below[s] - above[s]) + missing[s]
    return out


@_compiled
def age_of_highest(x: Matrix, window: int) -> Matrix:
    """Sessions since the maximum of its window, 0 for the newest session; of equals the oldest. By doubling."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    value, age = np.empty((rows, min(TILE, columns))), np.empty((rows, min(TILE, columns)))
    for left in range(0, columns, TILE):
        width = min(TILE, columns - left)
        for t in range(rows):
            for s in range(width):
                value[t, s], age[t, s] = x[t, left + s], 0.0
        span = 1
        while span < window:
            step = min(span, window - span)
            for t in range(rows - 1, step - 1, -1):
                for s in range(width):
                    new, old = value[t, s], value[t - step, s]
                    new_age, old_age = age[t, s], age[t - step, s] + step
                    age[t, s] = old_age if old >= new else new_age
                    value[t, s] = old if (old >= new) | (old != old) else new
            span += step
        for t in range(window - 1, rows):
            for s in range(width):
                out[t, left + s] = age[t, s] + 0.0 * value[t, s]
    return out


@_compiled
def quantile(x: Matrix, window: int, share: float) -> Matrix:
    """Linear interpolation between order statistics of a sorted window, in which the newest replaces the oldest."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    low = int(np.floor(share * (window - 1)))
    high = min(low + 1, window - 1)
    part = share * (window - 1) - low
    held, values = np.empty(window + 1), np.empty(rows + window)
    values[:window] = np.nan
    for s in range(columns):
        for t in range(rows):
            values[window + t] = x[t, s] + 0.0  # no negative zero, whose place among zeros would depend on its arrival
        count = 0
        for t in range(rows):
            old, new = values[t], values[window + t]
            at, end = 0, count
            while at < end and np.isfinite(old):
                middle = (at + end) >> 1
                at, end = (middle + 1, end) if held[middle] < old else (at, middle)
            if not np.isfinite(old):
                at, count = count, count + 1
            while at + 1 < count and not held[at + 1] >= new:
                held[at] = held[at + 1]
                at += 1
            while at > 0 and held[at - 1] > new:
                held[at] = held[at - 1]
                at -= 1
            held[at] = new
            if not np.isfinite(new):
                count -= 1
            if count == window:
                out[t, s] = held[low] + (held[high] - held[low]) * part
    return out


@_compiled
def section_mean(x: Matrix) -> Matrix:
    """Mean of the finite values of each row, added from left to right, as a column."""
    rows, columns = x.shape
    out = np.empty((rows, 1))
    for t in range(rows):
        added, count = 0.0, 0
        for s in range(columns):
            if np.isfinite(x[t, s]):
                added += x[t, s]
                count += 1
        out[t, 0] = added / count if count else np.nan
    return out


@_compiled
def section_rank(x: Matrix, order: NDArray[np.int64]) -> Matrix:
    """Rank of each finite value in its row over their number, ties averaged; `order` sorts the rows, missing last."""
    rows, columns = x.shape
    out = np.full(x.shape, np.nan)
    for t in range(rows):
        count = 0
        while count < columns and np.isfinite(x[t, order[t, count]]):
            count += 1
        first = 0
        while first < count:
            last = first
            while last + 1 < count and x[t, order[t, last + 1]] == x[t, order[t, first]]:
                last += 1
            for i in range(first, last + 1):
                out[t, order[t, i]] = ((first + last) / 2.0 + 1.0) / count
            first = last + 1
    return out


@_compiled
def store(values: Matrix, present: NDArray[np.bool_], starts: NDArray[np.int64], column: Matrix) -> None:
    """The present values of row t to `column` from starts[t] on, missing where they are not finite."""
    rows, columns = values.shape
    for t in range(rows):
        start = starts[t]
        if present[t].all():
            for s in range(columns):
                value = values[t, s]
                column[start + s] = value if value - value == 0.0 else np.nan
        else:
            for s in range(columns):
                if present[t, s]:
                    column[start] = values[t, s] if np.isfinite(values[t, s]) else np.nan
                    start += 1
