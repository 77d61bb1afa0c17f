"""Many images, on one process or several."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import resource_tracker

from lensnet.processes import end_with_parent, main_module_left_alone
from lensnet.simulation.simulator import SimulatedImage, Simulator
from lensnet.simulation.validation import check_integer

__all__ = ["Job", "simulate_many", "starting_processes"]

Job = tuple[str | None, int, int]
"""Class name or None, index, and seed of an image."""

# Jobs handed to a process at a time: enough to make the handing over cheap, few enough that an
# interruption waits a fraction of a second for the chunks under way.
CHUNK_SIZE = 32
# Chunks given out ahead of the one that is waited for, per process. More would only hold memory.
CHUNKS_AHEAD = 2


def simulate_many(
    simulator: Simulator, jobs: Iterable[Job], processes: int = 1
) -> Iterator[SimulatedImage]:
    """Yields the image of each job, in the order of the jobs.

    The images do not depend on the number of processes. `jobs` is read as images are asked for, a
    few chunks ahead, so that it may be longer than would fit into memory, or endless. The
    processes are started anew, not forked: a fork of a process in which TensorFlow runs can hang.
    They end with the generator, whether it is used up, closed, interrupted or killed.

    A script that asks for more than one process need not be written to be imported: the new
    processes leave it alone. Only where the simulator is of a class that the script itself defines
    must they import it, and the script needs `if __name__ == "__main__":`.

    Args:
        simulator: makes the images.
        jobs: (class name or None, index, seed) of each image.
        processes: how many processes to use; 1 works in this one.

    Raises:
        ValueError: `processes` is no integer of at least 1, or a job is wrong.
        concurrent.futures.process.BrokenProcessPool: a process was killed, or the script must be
            imported and lacks the line above.

    >>> from lensnet.simulation import HaloMassSimulator
    >>> jobs = [(None, index, 0) for index in range(3)]
    >>> len(list(simulate_many(HaloMassSimulator(image_size=32), jobs)))
    3
    """
    check_integer("processes", processes, minimum=1)
    if processes == 1:
        return (simulator.simulate(*job) for job in jobs)
    return _simulate_in_pool(simulator, iter(jobs), processes)


def _simulate_in_pool(
    simulator: Simulator, jobs: Iterator[Job], processes: int
) -> Iterator[SimulatedImage]:
    executor = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=end_with_parent,
    )
    pending: deque[Future[list[SimulatedImage]]] = deque()
    try:
        while True:
            while len(pending) < processes * (1 + CHUNKS_AHEAD):
                chunk = list(itertools.islice(jobs, CHUNK_SIZE))
                if not chunk:
                    break
                with starting_processes(simulator):
                    pending.append(executor.submit(_simulate_chunk, simulator, chunk))
            if not pending:
                return
            yield from pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _simulate_chunk(simulator: Simulator, jobs: list[Job]) -> list[SimulatedImage]:
    return [simulator.simulate(*job) for job in jobs]


@contextlib.contextmanager
def starting_processes(simulator: Simulator) -> Iterator[None]:
    """What processes that simulate are started in: see `simulate_many`.

    Args:
        simulator: which they are given.
    """
    # What a pickle names of the script can only be found by importing it.
    needs_main = b"__main__" in pickle.dumps(simulator)
    starting = contextlib.nullcontext if needs_main else main_module_left_alone
    # Which the first process that is started would start, and let interrupts through thereafter.
    resource_tracker.ensure_running()
    with _interrupts_held(), starting():
        yield


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds back SIGINT in this thread, and for good in processes started meanwhile.

    Ctrl-C reaches every process of the terminal. Only the parent shall act on it: it ends the
    others, which would each print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
