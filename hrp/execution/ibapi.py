"""The one import of the client library, ib_insync or ib_async: in any thread, silent, leaving speaking to HRP's errors.

An environment has exactly one of the two, because each installs its own version of the package eventkit. They are named
alike inside, and where they behave differently the adapter believes neither: see `link` and `translate`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hrp.errors import ConfigError

if TYPE_CHECKING:
    import ib_insync as ib
    from ib_insync.util import UNSET_DOUBLE
    from ib_insync.wrapper import RequestError

__all__ = ["INSTALLED", "UNSET_DOUBLE", "RequestError", "ib", "require"]

# What to install, and what to take away first, so that the other one's files go.
_CLIENTS = {
    "ib_insync": ("ib-insync==0.9.86", "ib_async aeventkit"),
    "ib_async": ("ib_async==2.1.0", "ib-insync eventkit"),
}


def choose(installed: list[str]) -> str:
    """The one client library among those `installed`.

    Raises:
        ConfigError: there is none, or there are two.
    """
    if len(installed) != 1:
        found = " and ".join(installed) or "no client library of TWS"
        raise ConfigError(f"{found} installed, {' or '.join(_CLIENTS)} alone is needed; run: make clean install")
    return installed[0]


def require(name: str) -> None:
    """The configured client library is the installed one.

    Raises:
        ConfigError: it is not.
    """
    if name != INSTALLED:
        wanted, unwanted = _CLIENTS[name]
        raise ConfigError(
            f"HRP_IB_CLIENT={name} is not installed here, {INSTALLED} is; set HRP_IB_CLIENT={INSTALLED}, "
            f"or replace it: pip uninstall -y {unwanted}; pip install {wanted}"
        )


def _load_in_a_thread_with_a_loop(name: str) -> None:
    """Import `name` where an event loop stands ready: its dependency asks for one while it is imported."""

    def load() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        importlib.import_module(name)
        asyncio.set_event_loop(None)
        loop.close()

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()


INSTALLED = choose([name for name in _CLIENTS if find_spec(name)])
_load_in_a_thread_with_a_loop(INSTALLED)

if not TYPE_CHECKING:
    ib = importlib.import_module(INSTALLED)
    UNSET_DOUBLE, RequestError = ib.util.UNSET_DOUBLE, ib.wrapper.RequestError

# Its tracebacks would drown the one line that HRP raises; setLevel(logging.DEBUG) brings them back.
for _name in (INSTALLED, "eventkit"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
