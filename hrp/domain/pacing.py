"""How long to wait before a request, so that a vendor's limit is never exceeded."""

from __future__ import annotations

from collections import deque


class Pace:
    """At most `count` requests in any `seconds`.

    The limit that vendors state is one over a sliding window; a steady rate would waste it on short jobs.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._taken: deque[float] = deque(maxlen=count)

    def delay(self, now: float) -> float:
        """Seconds to wait at `now`, of a clock that only moves forward; the request counts as sent thereafter."""
        full = len(self._taken) == self._taken.maxlen
        at = max(now, self._taken[0] + self._seconds) if full else now
        self._taken.append(at)
        return at - now
