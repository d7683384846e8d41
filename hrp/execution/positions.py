"""What the account holds, as the broker says, and where that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from hrp.domain.positions import BrokerState, Position
from hrp.errors import BrokerError
from hrp.ports import Broker

__all__ = ["Position", "PositionStore", "PositionTracker"]


class PositionStore(Protocol):
    """The part of `PlatformAPI` that keeps positions."""

    def record_positions(self, session: date, account: str, positions: Sequence[Position], at: datetime) -> None:
        """Keep a full snapshot: names that are not in it are no longer held."""


class PositionTracker:
    """The positions of the last sync; a connected `broker` answers, `api` keeps."""

    def __init__(self, broker: Broker, api: PositionStore) -> None:
        self._broker, self._api = broker, api
        self._state: BrokerState | None = None

    def sync_positions(self) -> list[Position]:
        """Ask the broker for every position.

        Raises:
            BrokerError: the answer was not complete; the positions of the sync before no longer count.
        """
        self._state = None
        self._state = self._broker.state()
        return list(self._state.positions)

    def get_position(self, symbol: str) -> Position | None:
        """The holding of `symbol`, or None if the broker lists none."""
        return next((held for held in self._synced().positions if held.symbol == symbol), None)

    def get_all_positions(self) -> list[Position]:
        """Every holding, by symbol."""
        return list(self._synced().positions)

    def persist_positions(self, session: date) -> int:
        """Keep the positions of the last sync as those of `session`; returns how many there are."""
        state = self._synced()
        self._api.record_positions(session, state.account.account, state.positions, state.at)
        return len(state.positions)

    def _synced(self) -> BrokerState:
        if self._state is None:
            raise BrokerError("positions are not known yet; call sync_positions() first")
        return self._state
