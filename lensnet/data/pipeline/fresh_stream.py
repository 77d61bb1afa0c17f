"""Batches of images that are simulated while the network trains, epoch after epoch.

As in `training_stream`, everything is a pure function of (seed, epoch, position), and the stream
can begin at any batch. All batches of an epoch are whole: there is no last image.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lensnet.config import Experiment
from lensnet.config.augmentation import Augmentation
from lensnet.config.sections import Splits
from lensnet.data.augmentation.augmenter import augmenter
from lensnet.data.cpus import available_cpus
from lensnet.data.hashing import mix, stable_hash
from lensnet.data.pipeline.share import Share, rows_to_load, with_size
from lensnet.data.pipeline.split_data import SplitData
from lensnet.data.records.records import without_autograph
from lensnet.data.sources.fresh_images import FreshImages, simulate_ahead
from lensnet.data.sources.simulated_source import SimulatedSource
from lensnet.data.sources.source_factory import make_source
from lensnet.errors import LensnetError
from lensnet.simulation.workers import SimulationWorkers

__all__ = ["FreshStream", "FreshTraining"]

_AUGMENTATION = stable_hash("fresh augmentation")
_MOST_PROCESSES = 16


class FreshTraining:
    """How an experiment trains on fresh images, and the processes that make them.

    Args:
        fresh: the images.
        augmentation: random changes, in order.
        steps_per_epoch: `training.steps_per_epoch`; None for as many batches as the training split
            of a set that is prepared as a whole would fill.
        planned: how many images that split would have.
    """

    def __init__(
        self,
        fresh: FreshImages,
        augmentation: Sequence[Augmentation],
        steps_per_epoch: int | None,
        planned: int,
    ):
        self.fresh = fresh
        self.augmentation = augmentation
        self._steps_per_epoch = steps_per_epoch
        self._planned = planned
        self._workers: SimulationWorkers | None = None

    @classmethod
    def of(cls, experiment: Experiment, splits: Splits) -> FreshTraining:
        """Returns that of an experiment.

        Args:
            experiment: with `data.fresh`.
            splits: how its data were divided.
        """
        options, seed = experiment.dataset_options, experiment.data.seed
        source = make_source(experiment.dataset, options, None, seed)
        if not isinstance(source, SimulatedSource):
            raise ValueError(f"data.fresh is for simulated data; got {experiment.data.dataset}.")
        training = splits.train if splits.are_fractions else Splits.model_validate({}).train
        every = sum(map(source.count, source.classes or (None,)))
        return cls(
            FreshImages(source.simulator, experiment.seed),
            experiment.data.augmentation,
            experiment.training.steps_per_epoch,
            round(float(training) * every),
        )

    def steps_per_epoch(self, batch_size: int) -> int:
        """Returns how many batches an epoch has."""
        return self._steps_per_epoch or max(1, math.ceil(self._planned / batch_size))

    def counts(self, batch_size: int) -> dict[str, int]:
        """Returns how many images of each class an epoch has, within one; else under "all"."""
        names = self.fresh.simulator.classes or ("all",)
        each, rest = divmod(self.steps_per_epoch(batch_size) * batch_size, len(names))
        return {name: each + (number < rest) for number, name in enumerate(names)}

    def stream(
        self, data: SplitData, batch_size: int, encode: Callable[[np.ndarray], np.ndarray]
    ) -> FreshStream:
        """Returns the batches; see `FreshStream`."""
        if self._workers is None or self._workers.failure is not None:
            processes = min(available_cpus(), _MOST_PROCESSES)
            self._workers = SimulationWorkers(self.fresh.simulator, processes)
        return FreshStream(
            data,
            self.fresh,
            self._workers,
            encode,
            batch_size,
            self.steps_per_epoch(batch_size),
            self.augmentation,
        )

    @contextlib.contextmanager
    def feeding(self) -> Iterator[None]:
        """See `PreparedData.feeding`."""
        try:
            yield
        except Exception:
            if self._workers is not None and self._workers.failure is not None:
                raise self._workers.failure from None
            raise
        finally:
            if self._workers is not None:
                self._workers.close()
                self._workers = None


@dataclass(frozen=True, eq=False)
class FreshStream:
    """The batches of a training on fresh images.

    Args:
        data: the sample of the training split, whose preprocessing is that of the fresh images.
        fresh: which images there are.
        workers: the processes that make them.
        encode: gives class numbers or targets (N,) as the network is to say them, (N, K) float32.
        batch_size: images in a batch.
        steps_per_epoch: batches in an epoch.
        augmentation: random changes, in order.
    """

    data: SplitData
    fresh: FreshImages
    workers: SimulationWorkers
    encode: Callable[[np.ndarray], np.ndarray]
    batch_size: int
    steps_per_epoch: int
    augmentation: Sequence[Augmentation] = ()

    @without_autograph
    def batches(
        self, first_epoch: int, epochs: int, first_step: int = 0, share: Share | None = None
    ) -> tf.data.Dataset:
        """Returns batches (images, labels).

        Args:
            first_epoch: the epoch to begin with, from 0.
            epochs: the epoch to end before.
            first_step: the batch of the first epoch to begin with, from 0.
            share: the rows of each batch to make; None for all. With it the size of the whole
                batch comes first, (size, images, labels).
        """
        first = first_epoch * self.steps_per_epoch + first_step
        count = epochs * self.steps_per_epoch - first
        augment = augmenter(self.augmentation, self.data.preprocessing.image_shape)
        loaded, kept = rows_to_load(share, self.batch_size, self.augmentation)

        def load(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, ...]:
            pixels = self.data.preprocessing(images)
            pixels = tf.ensure_shape(pixels, (None, *self.data.preprocessing.image_shape))
            batch = tuple(values[kept] for values in augment(pixels, labels, seeds))
            return with_size(share, tf.constant(self.batch_size, tf.int64), batch)

        number_of_labels = self.encode(np.zeros(1, np.int64)).shape[1]
        simulated = tf.data.Dataset.from_generator(
            lambda: self._simulated(range(first, first + count), loaded),
            output_signature=(
                tf.TensorSpec((None, *self.data.preprocessing.native_shape), tf.float32),
                tf.TensorSpec((None, number_of_labels), tf.float32),
                tf.TensorSpec((None,), tf.uint64),
            ),
        )
        batches = simulated.map(load, num_parallel_calls=self.data.workers(self.batch_size))
        return self.data.finished(batches, count, self.batch_size)

    def examples(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and labels or targets of a batch.

        Args:
            epoch: its epoch, from 0.
            step: its place in the epoch, from 0.
        """
        positions = self._positions(step)
        values = self.fresh.labels if self.fresh.simulator.classes else self.fresh.targets
        return self.fresh.ids(epoch, positions), values(epoch, positions)

    def _positions(self, step: int) -> np.ndarray:
        return np.arange(step * self.batch_size, (step + 1) * self.batch_size)

    def _simulated(
        self, steps: range, rows: slice
    ) -> Generator[tuple[np.ndarray, np.ndarray, np.ndarray], None, None]:
        """Yields raw images, labels and seeds of rows of the batches of such numbers."""

        def wanted() -> Iterator[tuple[int, np.ndarray]]:
            for number in steps:
                epoch, step = divmod(number, self.steps_per_epoch)
                yield epoch, self._positions(step)[rows]

        made = simulate_ahead(self.fresh, self.workers, wanted())
        # An error in here TensorFlow would print with its traceback. That there are fewer batches
        # than were promised is an error to whoever asks for them, and `feeding` knows the reason.
        with contextlib.suppress(LensnetError):
            for epoch, positions, images, targets in made:
                values = self.fresh.labels(epoch, positions) if targets is None else targets
                seeds = mix(_AUGMENTATION, self.fresh.seed, epoch, positions)
                yield images, self.encode(values), seeds
