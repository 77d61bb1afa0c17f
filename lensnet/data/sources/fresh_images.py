"""New images for every epoch: which they are, and how they are made ahead of their use.

Which image stands where is a pure function of (seed, epoch, position): it depends neither on what
was made before nor on who makes it. So a training can begin anywhere, and a resumed one sees what
it would have seen.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lensnet.data.hashing import mix, stable_hash

if TYPE_CHECKING:
    from lensnet.simulation.parallel import Job
    from lensnet.simulation.simulator import Simulator
    from lensnet.simulation.workers import Request, SimulationWorkers

__all__ = ["FreshImages", "simulate_ahead"]

_IMAGES, _CLASSES = stable_hash("fresh images"), stable_hash("fresh classes")

# No seed of images that are prepared is so high, unless somebody has sought it out.
_LOWEST_SEED = 2**62

# Images asked for at once: enough to make the asking cheap. And the bytes that they may have: each
# process has so many ready.
_MOST_AT_ONCE, _BYTES_AT_ONCE = 32, 4 * 2**20


@dataclass(frozen=True)
class FreshImages:
    """The endless images of a simulation, by epoch and position.

    Every run of as many positions as there are classes has one image of each class, in an order
    of its own. An image's number within its class is its position in the epoch; its seed follows
    from the seed and the epoch, and is none that prepared images have.

    Args:
        simulator: makes them.
        seed: of the training.

    >>> from lensnet.simulation import SubstructureSimulator
    >>> fresh = FreshImages(SubstructureSimulator(image_size=32), seed=0)
    >>> positions = np.arange(6)
    >>> sorted(fresh.labels(0, positions)[:3].tolist())
    [0, 1, 2]
    >>> set(fresh.ids(0, positions)) & set(fresh.ids(1, positions))
    set()
    """

    simulator: Simulator
    seed: int

    def labels(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """Returns the number of the class of each image, (N,) int64; 0 where there are none.

        Args:
            epoch: from 0.
            positions: (N,) int64, places in the epoch.
        """
        count = max(1, len(self.simulator.classes))
        block, place = np.divmod(positions, count)
        keys = mix(_CLASSES, self.seed, epoch, block[:, np.newaxis], np.arange(count)[np.newaxis])
        order = np.argsort(keys, axis=1, kind="stable")
        return np.take_along_axis(order, place[:, np.newaxis], axis=1)[:, 0].astype(np.int64)

    def jobs(self, epoch: int, positions: np.ndarray) -> list[Job]:
        """Returns what the simulator is to make: class name or None, index and seed of each."""
        seed = _LOWEST_SEED + int(mix(_IMAGES, self.seed, epoch)) % _LOWEST_SEED
        return [
            (name, index, seed)
            for name, index in zip(self._names(epoch, positions), positions.tolist(), strict=True)
        ]

    def ids(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """Returns what the images are called, (N,) str: `fresh/<epoch, from 1>/<class>/<index>`."""
        named = zip(self._names(epoch, positions), positions.tolist(), strict=True)
        ids = [f"fresh/{epoch + 1}/{name or 'image'}/{index}" for name, index in named]
        return np.array(ids, dtype=object)

    def targets(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        """Returns the targets of a regression, (N,) float64; the images are made for them, here."""
        made = (self.simulator.simulate(*job) for job in self.jobs(epoch, positions))
        return np.array([image.target for image in made], dtype=np.float64)

    def _names(self, epoch: int, positions: np.ndarray) -> list[str | None]:
        classes = self.simulator.classes
        if not classes:
            return [None] * len(positions)
        return [classes[label] for label in self.labels(epoch, positions)]


@dataclass(eq=False)
class _Pending:
    """A batch that has been asked for.

    Args:
        epoch: from 0.
        positions: (N,) int64, places in the epoch.
        images: (N, size, size, 1) float32, which are being written.
        targets: (N,) float64, likewise; None where there are none.
        requests: the parts in which it was asked for.
    """

    epoch: int
    positions: np.ndarray
    images: np.ndarray
    targets: np.ndarray | None
    requests: list[Request]


def simulate_ahead(
    fresh: FreshImages,
    workers: SimulationWorkers,
    batches: Iterable[tuple[int, np.ndarray]],
) -> Generator[tuple[int, np.ndarray, np.ndarray, np.ndarray | None], None, None]:
    """Yields batches of fresh images, in order, which processes make ahead of their use.

    They are asked for until each process has two parts to make: one that it makes, and one to go
    on with. So memory does not grow with the number of batches. It ends early where the processes
    are told to end.

    Args:
        fresh: which images.
        workers: the processes. Others may ask the same ones at the same time.
        batches: epoch and positions (N,) int64 of each; read as needed, and may be endless.

    Yields:
        epoch, positions, images (N, size, size, 1) float32, and targets (N,) float64, None where
        there are classes.

    Raises:
        LensnetError: the simulator failed, or a process was killed.
    """
    from lensnet.simulation.workers import WorkersClosed

    size = fresh.simulator.image_size
    at_once = min(_MOST_AT_ONCE, max(1, _BYTES_AT_ONCE // (4 * size * size)))
    upcoming = iter(batches)
    pending: deque[_Pending] = deque()

    def ask() -> bool:
        """Asks for the next batch; returns whether there is one."""
        found = next(upcoming, None)
        if found is None:
            return False
        epoch, positions = found
        images = np.empty((len(positions), size, size, 1), np.float32)
        targets = None if fresh.simulator.classes else np.empty(len(positions))
        jobs = fresh.jobs(epoch, positions)
        bounds = np.linspace(0, len(jobs), math.ceil(len(jobs) / at_once) + 1).astype(int)
        requests = [
            workers.ask(jobs[a:b], images[a:b], None if targets is None else targets[a:b])
            for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]
        pending.append(_Pending(epoch, positions, images, targets, requests))
        return True

    try:
        while True:
            while sum(len(batch.requests) for batch in pending) < 2 * workers.processes + 1:
                if not ask():
                    break
            if not pending:
                return
            batch = pending.popleft()
            for request in batch.requests:
                workers.wait(request)
            yield batch.epoch, batch.positions, batch.images, batch.targets
    except WorkersClosed:
        if workers.failure is not None:
            raise workers.failure from None
