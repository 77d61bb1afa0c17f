"""Processes that simulate beside whatever else the program does.

`simulate_many` yields one image after the other, until its jobs are used up. Here images are asked
for in parts of a batch, by several readers at a time, and are written where they are to stand.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from lensnet.errors import LensnetError
from lensnet.processes import end_with_parent
from lensnet.simulation.parallel import Job, starting_processes
from lensnet.simulation.simulator import Simulator

__all__ = ["Request", "SimulationWorkers", "WorkersClosed"]

# The network is trained by the same cores. Of a moment that both want, it gets nine tenths: images
# are made ahead of their use, but whoever waits for one thread of a kernel waits with all others.
_NICENESS = 10


class WorkersClosed(Exception):
    """Images were asked of processes that have been ended."""


@dataclass(eq=False)
class Request:
    """Images that a process has been asked for.

    Args:
        images: (N, size, size, 1) float32, where they are written.
        targets: (N,) float64, where their targets are written; None where they have none.
        worker: which process was asked.
        is_done: whether they are there.
    """

    images: np.ndarray
    targets: np.ndarray | None
    worker: _Worker
    is_done: bool = False


class SimulationWorkers:
    """Processes that simulate images, started when the first are asked for.

    They are started anew, not forked: see `simulate_many`, also for what a script needs that
    defines a simulator itself. They end when they are told to, with this process even if that is
    killed, and when nobody holds the object any more. A process has no more images ready than
    were asked of it in one request: it goes on when these have been taken.

    Args:
        simulator: makes the images.
        processes: how many processes.
    """

    def __init__(self, simulator: Simulator, processes: int):
        self.simulator = simulator
        self.processes = processes
        self.failure: LensnetError | None = None
        """What ended the processes, if they did not end because they were told to."""
        self._has_targets = not simulator.classes
        self._workers: list[_Worker] = []
        self._starting = threading.Lock()
        self._asked = 0
        self._closed = False
        weakref.finalize(self, _end, self._workers)

    def ask(self, jobs: Sequence[Job], images: np.ndarray, targets: np.ndarray | None) -> Request:
        """Asks for images, of the processes in turn, and does not wait for them.

        Args:
            jobs: of each image.
            images: (N, size, size, 1) float32, contiguous: where they are to be written.
            targets: (N,) float64: where their targets are; None where they have none.

        Raises:
            WorkersClosed: after `close`.
            LensnetError: a process was killed, or could not start.
        """
        with self._starting:
            if self._closed:
                raise WorkersClosed
            if not self._workers:
                self._start()
            worker = self._workers[self._asked % self.processes]
            self._asked += 1
        request = Request(images, targets, worker)
        with self._failing(worker):
            worker.ask(request, jobs)
        return request

    def wait(self, request: Request) -> None:
        """Returns when the images of a request are there.

        Raises:
            WorkersClosed: they will not be, for `close` was called.
            LensnetError: the simulator failed, or a process was killed.
        """
        with self._failing(request.worker):
            request.worker.take(request)

    def close(self) -> None:
        """Ends the processes at once. Whoever waits for an image is told so."""
        with self._starting:
            self._closed = True
            _end(self._workers)

    def _start(self) -> None:
        try:
            with starting_processes(self.simulator):
                for _ in range(self.processes):
                    self._workers.append(_Worker(self.simulator))
        except Exception as error:  # of whatever kind: pickling raises many
            self.failure = LensnetError(
                f"No process can be started that simulates images: {type(error).__name__}: {error}."
            )
            _end(self._workers)
            self._workers.clear()
            raise self.failure from error

    @contextlib.contextmanager
    def _failing(self, worker: _Worker) -> Iterator[None]:
        """Ends all processes where one of them fails, and says why."""
        try:
            yield
        except (EOFError, OSError) as error:
            if self._closed:
                raise WorkersClosed from None
            self.failure = LensnetError(f"A process that simulates images {worker.how_it_ended()}")
            self.close()
            raise self.failure from error
        except _SimulationFailed as error:
            name = type(self.simulator).__name__
            self.failure = LensnetError(f"The simulator {name} failed: {error}.")
            self.close()
            raise self.failure from None


class _SimulationFailed(Exception):
    """A simulator raised an error, or made what is not an image."""


class _Worker:
    """A process, and what it has been asked for and not yet given."""

    def __init__(self, simulator: Simulator):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        # A daemon, so that Python does not wait for it at its end.
        self.process = context.Process(target=_work, args=(simulator, theirs), daemon=True)
        self.process.start()
        theirs.close()  # the process's end alone: when it dies, reading ends
        self._lock = threading.Lock()
        self._unanswered: deque[Request] = deque()

    def ask(self, request: Request, jobs: Sequence[Job]) -> None:
        with self._lock:
            self._connection.send(list(jobs))
            self._unanswered.append(request)

    def take(self, request: Request) -> None:
        """Receives answers, in the order in which they were asked for, up to that of a request."""
        with self._lock:
            while not request.is_done:
                self._receive(self._unanswered.popleft())

    def _receive(self, request: Request) -> None:
        problem = self._connection.recv()
        if problem is not None:
            raise _SimulationFailed(problem)
        for values in (request.images, request.targets):
            if values is not None:
                self._connection.recv_bytes_into(values.data.cast("B"))
        request.is_done = True

    def how_it_ended(self) -> str:
        self.process.join(5)
        code = self.process.exitcode
        if code is None or code < 0:
            how = "does not answer" if code is None else f"was killed by signal {-code}"
            return f"{how}. There may be too little memory."
        return (
            f"ended with code {code}. A script that defines a simulator of its own needs "
            '`if __name__ == "__main__":`, because the processes import it.'
        )


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.process.join()


def _work(simulator: Simulator, connection: Connection) -> None:
    """What a process does: it answers requests until there is nobody left to ask."""
    end_with_parent()
    with contextlib.suppress(AttributeError, OSError):  # not on Windows
        os.nice(_NICENESS)
    shape = (simulator.image_size, simulator.image_size, 1)
    while True:
        try:
            jobs = connection.recv()
        except EOFError:
            return
        images = np.empty((len(jobs), *shape), np.float32)
        targets = np.empty(len(jobs))
        try:
            for place, job in enumerate(jobs):
                targets[place] = _simulate(simulator, job, images[place])
        except _SimulationFailed as error:
            connection.send(str(error))
            continue
        connection.send(None)
        connection.send_bytes(images.data.cast("B"))
        if not simulator.classes:
            connection.send_bytes(targets.data.cast("B"))


def _simulate(simulator: Simulator, job: Job, into: np.ndarray) -> float:
    """Writes an image where it is to stand; returns its target, 0 where it has none.

    Raises:
        _SimulationFailed: there is no such image, or it cannot serve.
    """
    class_name, index, seed = job
    which = f"image {index} of seed {seed}" + (f', class "{class_name}"' if class_name else "")
    try:
        made = simulator.simulate(class_name, index, seed)
        image, target = np.asarray(made.image), 0.0 if class_name else made.target
    except Exception as error:
        words = " ".join(str(error).split())
        raise _SimulationFailed(f"{which}: {type(error).__name__}: {words}") from error
    if image.shape != into.shape:
        raise _SimulationFailed(f"{which} has the shape {image.shape}, and not {into.shape}")
    if target is None or not np.isfinite(target):
        raise _SimulationFailed(f"{which} has the target {target}, which is not a finite number")
    if not np.isfinite(image).all():
        raise _SimulationFailed(f"{which} has pixels that are not finite")
    into[:] = image
    return float(target)
