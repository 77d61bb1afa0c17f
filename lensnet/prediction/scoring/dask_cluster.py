"""Where Dask's workers are: at an address, on this machine, or what Slurm is to start."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lensnet.data.cpus import available_cpus
from lensnet.errors import ConfigurationError, RunError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DaskCluster", "check_dask"]

_log = logging.getLogger(__name__)

# Jobs that are asked of Slurm where nobody says how many.
_JOBS = 4

_OWN = re.compile(r"(local|slurm)(?::(\d{1,5}))?")
_ADDRESS = re.compile(r"(?:[a-z]+://)?[\w.\-\[\]:]+:\d{1,5}")

_SECONDS_TO_CONNECT = 30


@dataclass(frozen=True)
class DaskCluster:
    """Where workers are.

    Args:
        kind: `"address"` of a scheduler that runs already, `"local"` processes, or `"slurm"` jobs.
        address: of the scheduler.
        workers: how many processes or jobs to start.

    Example:

    >>> DaskCluster.parse("local:4")
    DaskCluster(kind='local', address='', workers=4)
    >>> DaskCluster.parse("tcp://10.0.0.5:8786").kind
    'address'
    """

    kind: Literal["address", "local", "slurm"]
    address: str = ""
    workers: int = 0

    @classmethod
    def parse(cls, text: str) -> DaskCluster:
        """Reads `local:4`, `slurm:8` or `tcp://host:8786`.

        Raises:
            ConfigurationError: it is none of these.
        """
        own = _OWN.fullmatch(text)
        if own is not None and own[2] != "0":
            default = available_cpus() if own[1] == "local" else _JOBS
            kind: Any = own[1]
            return cls(kind, workers=int(own[2] or default))
        if own is None and _ADDRESS.fullmatch(text):
            return cls("address", address=text)
        raise ConfigurationError(
            f'"{text}" names no Dask workers. Say local:4 (processes on this machine), slurm:8 '
            "(jobs that Slurm starts), or the address of a scheduler, such as tcp://10.0.0.5:8786."
        )

    @property
    def threads(self) -> int | None:
        """How many threads a worker's TensorFlow is to take; None for as many as Dask gives it."""
        return max(1, available_cpus() // self.workers) if self.kind == "local" else None

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Connects to the workers, and starts them where that is asked for.

        Raises:
            RunError: no scheduler answers.
            ConfigurationError: Slurm's jobs are not described.
        """
        from distributed import Client

        with contextlib.ExitStack() as stack:
            where: Any = self.address
            if self.kind == "local":
                where = stack.enter_context(_local(self.workers))
            elif self.kind == "slurm":
                where = stack.enter_context(_slurm(self.workers))
            try:
                client = stack.enter_context(Client(where, timeout=_SECONDS_TO_CONNECT))
            except (OSError, TimeoutError):
                raise RunError(
                    f"No Dask scheduler answers at {self.address}. Start one by `dask scheduler`, "
                    "and its workers by `dask worker`, or say --dask local:4."
                ) from None
            yield client


def check_dask(text: str) -> None:
    """Checks what `--dask` says, and that the packages are there.

    Raises:
        ConfigurationError: it says nothing that is known, or a package is missing.
    """
    cluster = DaskCluster.parse(text)
    needed = ["dask", "distributed"] + ["dask_jobqueue"] * (cluster.kind == "slurm")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"--dask needs the package {missing[0].replace('_', '-')}: pip install 'lensnet[dask]'."
        )


def _local(workers: int) -> Any:
    """Processes of one task at a time, that die with this one, and are replaced if they die."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        # TensorFlow's own memory looks like a leak to Dask, which would pause and end workers.
        memory_limit=None,
        silence_logs=logging.CRITICAL,
    )


def _slurm(jobs: int) -> Any:
    """Jobs as the user's `jobqueue.yaml` describes them."""
    from dask_jobqueue import SLURMCluster

    try:
        cluster = SLURMCluster()
    except ValueError as error:
        raise ConfigurationError(
            f"Slurm's jobs are not described ({str(error).splitlines()[0]}). Write cores, memory, "
            "queue and walltime into ~/.config/dask/jobqueue.yaml; docs/scaling.md shows one."
        ) from None
    _log.info("Asking Slurm for %d jobs; work begins as soon as the first one runs.", jobs)
    cluster.scale(jobs=jobs)
    return cluster
