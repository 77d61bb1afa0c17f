"""Examples that a simulator makes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from math import isfinite
from typing import TYPE_CHECKING

from lensnet.data.cpus import available_cpus
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.source import Loaded, Shape
from lensnet.data.sources.splits import SplitPlan
from lensnet.errors import LensnetError

if TYPE_CHECKING:
    from lensnet.simulation import Simulator

__all__ = ["SimulatedSource"]

_JOBS_WORTH_PROCESSES = 400


class SimulatedSource:
    """Images that a simulator makes.

    Args:
        simulator: what makes them.
        examples: how many of each class, or in all for a regression; or by class.
        seed: the seed of the images.
        processes: how many processes simulate; by default one for each CPU, or one in all if the
            images are few.
    """

    max_bad = 0.0
    splits: tuple[str, ...] = ()

    def __init__(
        self,
        simulator: Simulator,
        examples: int | Mapping[str, int],
        seed: int,
        processes: int | None = None,
    ):
        self.simulator = simulator
        self.examples = examples
        self.seed = seed
        self.processes = processes
        self.classes = tuple(simulator.classes)

    def count(self, label: str | None) -> int:
        """Returns how many images there are of a class, or in all where there are no classes."""
        if isinstance(self.examples, int):
            return self.examples
        return self.examples[str(label)]

    def list(self) -> Listing:
        """Lists the images to be made, as class/number; see `Source`."""
        return Listing(
            tuple(
                Example(id=f"{label or 'image'}/{index}", label=label)
                for label in self.classes or (None,)
                for index in range(self.count(label))
            )
        )

    def splits_of(self, examples: Sequence[Example], plan: SplitPlan) -> Sequence[str]:
        """Returns the split of each image; see `Source`."""
        return plan.assign_simulated(examples)

    def known_shape(self) -> Shape:
        """Returns the shape that the simulator says; see `Source`."""
        return (self.simulator.image_size, self.simulator.image_size, 1)

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Simulates images, in several processes; see `Source`."""
        from lensnet.simulation import simulate_many

        jobs = [
            (example.label, int(example.id.rpartition("/")[2]), self.seed) for example in examples
        ]
        # Starting processes takes as long as simulating some hundred images.
        default = available_cpus() if len(jobs) >= _JOBS_WORTH_PROCESSES else 1
        simulating = simulate_many(self.simulator, jobs, self.processes or default)
        try:
            for example, made in zip(examples, simulating, strict=True):
                known = {name: number for name, number in made.metadata.items() if isfinite(number)}
                yield Loaded(example, image=made.image, target=made.target, metadata=known)
        except BrokenProcessPool as error:
            raise LensnetError(
                "A process that simulates images was killed, or could not start. There may be too "
                "little memory. A script that defines a simulator of its own prepares data below "
                '`if __name__ == "__main__":`, because the processes import it.'
            ) from error

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields the simulator with all its options, and how many images it makes."""
        yield f"{self.simulator!r} {self.examples}"
