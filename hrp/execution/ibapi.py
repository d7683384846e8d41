"""The one import of ib_insync: works in any thread, and leaves speaking to HRP's own errors."""

from __future__ import annotations

import asyncio
import logging
import threading


def _load_in_a_thread_with_a_loop() -> None:
    """Import ib_insync where an event loop stands ready: its dependency asks for one while it is imported."""

    def load() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        import ib_insync  # noqa: F401

        asyncio.set_event_loop(None)
        loop.close()

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()


_load_in_a_thread_with_a_loop()

import ib_insync as ib  # noqa: E402
from ib_insync.util import UNSET_DOUBLE  # noqa: E402
from ib_insync.wrapper import RequestError  # noqa: E402

# Its tracebacks would drown the one line that HRP raises; setLevel(logging.DEBUG) brings them back.
logging.getLogger("ib_insync").setLevel(logging.CRITICAL)

__all__ = ["UNSET_DOUBLE", "RequestError", "ib"]
