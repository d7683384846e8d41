"""Other machines for folds and trials: joblib over a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client
from joblib import parallel_config

from hrp.errors import RequirementNotMetError

TIMEOUT_SECONDS = 10.0


@contextmanager
def joined(address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[None]:
    """Inside, whatever goes through joblib runs on the workers of the Dask scheduler at `address`.

    They need the same releases of Python, HRP and its libraries, or the results may differ in their last bits.

    Raises:
        RequirementNotMetError: no scheduler answers, or it has no worker.
    """
    try:
        client = Client(address, timeout=timeout_seconds, set_as_default=False)
    except OSError as error:
        raise RequirementNotMetError(
            f"no Dask scheduler answers at HRP_DASK_SCHEDULER={address} within {timeout_seconds:g} s; start it: "
            f"dask scheduler; or unset the variable to use this machine alone"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout_seconds)
        except TimeoutError as error:
            raise RequirementNotMetError(
                f"the Dask scheduler at {address} has no worker; start one: dask worker {address}"
            ) from error
        with parallel_config(backend="dask", client=client):
            yield
