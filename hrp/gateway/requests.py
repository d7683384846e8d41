"""What a client can ask, as records. How they travel is `messages.py`."""

from __future__ import annotations

from dataclasses import dataclass

from hrp.gateway.placeorder import PlaceOrder


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """Which instrument a client means: by number, or by symbol."""

    con_id: int
    symbol: str
    sec_type: str
    exchange: str
    currency: str


@dataclass(frozen=True, slots=True)
class StartApi:
    """Name the client; the server answers with accounts and the next order id."""

    client_id: int


@dataclass(frozen=True, slots=True)
class AccountUpdates:
    """Start or stop the stream of account values and portfolio."""

    subscribe: bool
    account: str


@dataclass(frozen=True, slots=True)
class AccountUpdatesMulti:
    """Start the stream of account values under a request id."""

    req_id: int
    account: str


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """Start the stream of chosen account values."""

    req_id: int
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Executions:
    """The executions of the day, narrowed by whatever is not empty; `since` is `YYYYMMDD-HH:MM:SS`."""

    req_id: int
    client_id: int
    account: str
    since: str
    symbol: str
    side: str


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel one working order of the asking client."""

    order_id: int


@dataclass(frozen=True, slots=True)
class ContractDetails:
    """Everything static about one instrument."""

    req_id: int
    contract: ContractQuery


@dataclass(frozen=True, slots=True)
class MatchingSymbols:
    """Instruments whose symbol starts with `pattern`."""

    req_id: int
    pattern: str


@dataclass(frozen=True, slots=True)
class MarketRule:
    """The price increments of a rule."""

    rule_id: int


@dataclass(frozen=True, slots=True)
class HeadTimestamp:
    """The start of the history of one instrument; `epoch` asks for seconds instead of a text."""

    req_id: int
    contract: ContractQuery
    epoch: bool


@dataclass(frozen=True, slots=True)
class MarketDataType:
    """Which data the client takes: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen."""

    kind: int


@dataclass(frozen=True, slots=True)
class MarketData:
    """Prices of one instrument, once or as a stream."""

    req_id: int
    contract: ContractQuery
    snapshot: bool


@dataclass(frozen=True, slots=True)
class HistoricalData:
    """Bars of one instrument up to `end` (empty: now)."""

    req_id: int
    contract: ContractQuery
    end: str
    bar_size: str
    duration: str
    what: str
    keep_up_to_date: bool


@dataclass(frozen=True, slots=True)
class PnL:
    """Start the stream of the account's profit and loss."""

    req_id: int
    account: str


@dataclass(frozen=True, slots=True)
class PnLSingle:
    """Start the stream of one position's profit and loss."""

    req_id: int
    account: str
    con_id: int


@dataclass(frozen=True, slots=True)
class Plain:
    """A request without parameters that matter: one of `PLAIN_NAMES`."""

    name: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the stream of kind `stream`, under `req_id` where it has one (else 0)."""

    stream: type[object]
    req_id: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Start the stream of positions."""


Request = (
    StartApi
    | AccountUpdates
    | AccountUpdatesMulti
    | AccountSummary
    | Executions
    | PlaceOrder
    | CancelOrder
    | ContractDetails
    | MatchingSymbols
    | MarketRule
    | HeadTimestamp
    | MarketDataType
    | MarketData
    | HistoricalData
    | PnL
    | PnLSingle
    | Positions
    | Plain
    | Cancel
)
