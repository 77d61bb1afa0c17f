"""A data set ready to train on."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lensnet.config import Experiment
from lensnet.config.sections import Splits
from lensnet.config.target_transform import TargetTransform
from lensnet.data.augmentation.augmenter import check_augmentations
from lensnet.data.pipeline.balance import Balancing, Oversampling
from lensnet.data.pipeline.example_weights import loss_weights, named_weights
from lensnet.data.pipeline.fresh_stream import FreshStream, FreshTraining
from lensnet.data.pipeline.preprocessing import Preprocessing
from lensnet.data.pipeline.share import Share
from lensnet.data.pipeline.split_data import SplitData
from lensnet.data.pipeline.training_stream import TrainingStream
from lensnet.data.records.index import (
    Index,
    Quarantined,
    read_index,
    read_metadata,
    warn_of_faults,
)
from lensnet.data.records.records import open_records
from lensnet.data.sources.folds import splits_of_fold
from lensnet.data.sources.splits import SPLITS, check_splits
from lensnet.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

__all__ = ["Examples", "PreparedData"]


class Examples(NamedTuple):
    """What is known of the examples of a split, in the order of `PreparedData.batches`.

    Args:
        ids: (N,) str.
        labels: (N,) the label's number, int64; for regression the target, float64.
    """

    ids: np.ndarray
    labels: np.ndarray


class PreparedData:
    """The splits of a prepared data set, preprocessed and in batches.

    Images are float32 (N, H, W, C), preprocessed. Labels are float32: one-hot (N, K) for
    classification; (N, 1) for binary, where the second class is 1; for regression the target in
    its own units (N, 1).

    With `data.fresh` the training split is a sample of images like those that are trained on, which
    are simulated as `training_batches` are asked for.

    Args:
        experiment: what the data are for.
        builder: of the records, as `open_directory` returns it.
        preprocessing: from raw pixels to the network's input; by default made from the
            experiment and the training split.
        splits: what the splits are where `data.splits` leaves them open; by default those that
            were prepared.
    """

    def __init__(
        self,
        experiment: Experiment,
        builder: tfds.core.DatasetBuilder,
        preprocessing: Preprocessing | None = None,
        splits: Splits | None = None,
    ):
        self.experiment = experiment
        self.builder = builder
        features = builder.info.features
        self.native_shape: tuple[int, int, int] = tuple(features["image"].shape)
        self.classes: tuple[str, ...] = (
            tuple(features["label"].names) if "label" in features else ()
        )
        self.directory = Path(builder.data_dir)
        self._index: Index = read_index(self.directory, self.classes)
        own = Splits(train="train", validation="validation", test="test")
        self.splits: Splits = _folded(experiment) or experiment.data.splits or splits or own
        parts = {name: getattr(self.splits, name) for name in SPLITS}
        self._records = {
            name: open_records(builder, self._index, part if isinstance(part, str) else name)
            for name, part in parts.items()
        }
        self._check_parts()
        self.target_transform = self._fit_target_transform()
        warn_of_faults(self._index, self.directory)
        self.preprocessing = preprocessing or self._fit_preprocessing()
        if self.preprocessing.native_shape != self.native_shape:
            raise DataError(
                f"The images are {self.native_shape} (height, width, channels), and the "
                f"preprocessing is made for {self.preprocessing.native_shape}."
            )
        self.image_shape: tuple[int, int, int] = self.preprocessing.image_shape
        check_augmentations(experiment.data.augmentation, self.image_shape)
        self._opened: dict[str, SplitData] = {}

    @property
    def records(self) -> str:
        """The name of the records below `data.data_dir`: data set, fingerprint, version."""
        return "/".join(self.directory.parts[-3:])

    @property
    def quarantine(self) -> tuple[Quarantined, ...]:
        """The bad files that were left out, and why."""
        return self._index.quarantine

    def examples(self, split: str) -> Examples:
        """Returns ids and labels or targets of a split, in the order of `batches`.

        Args:
            split: `train`, `validation` or `test`.
        """
        records = self._records[_checked(split)]
        return Examples(records.ids, records.labels)

    def metadata(self, split: str) -> dict[str, np.ndarray]:
        """Returns what else is known of a split's examples, in the order of `batches`.

        Args:
            split: `train`, `validation` or `test`.

        Returns:
            numbers by name, (N,) float64 each; NaN where an example has none of that name.
        """
        return read_metadata(self.directory, self._records[_checked(split)].ids.tolist())

    def counts(self, split: str) -> dict[str, int]:
        """Returns how many examples of each class a split has; for regression under "all"."""
        records = self._records[_checked(split)]
        if not self.classes:
            return {"all": len(records)}
        counts = np.bincount(records.labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    @property
    def training_counts(self) -> dict[str, int]:
        """How many different images of each class an epoch of training has, as of `counts`."""
        if self._fresh is None:
            return self.counts("train")
        return self._fresh.counts(self.experiment.training.batch_size)

    @property
    def examples_per_epoch(self) -> int:
        """Examples in an epoch of training, counting each copy that `data.balance` makes."""
        if self._fresh is not None:
            return sum(self.training_counts.values())
        return len(self._records["train"]) if self._balance is None else self._balance.total

    def steps_per_epoch(self, batch_size: int, smallest_batch: int = 1) -> int:
        """Returns the batches in an epoch of training, as `training_batches` makes them."""
        return self._stream(batch_size, smallest_batch).steps_per_epoch

    @functools.cached_property
    def training_weights(self) -> np.ndarray | None:
        """The weight of each training example in the loss, (N,) float32; None where all have 1.

        Raises:
            ConfigurationError: `data.example_weights` names no number that all of them have.
        """
        name, values = self.experiment.data.example_weights, None
        examples = self.examples("train")
        if name is not None:
            values = named_weights(self.metadata("train"), name, examples.ids.tolist())
        balanced = self.experiment.data.balance == "class_weights"
        return loss_weights(examples.labels, len(self.classes) if balanced else 0, values)

    @property
    def target_mean(self) -> float | None:
        """Mean of the training targets; None for classification."""
        return None if self.classes else float(np.mean(self._records["train"].labels))

    @property
    def target_std(self) -> float | None:
        """Standard deviation of the training targets; None for classification."""
        return None if self.classes else float(np.std(self._records["train"].labels))

    def batches(self, split: str, batch_size: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns batches (images, labels) of a split, in order and unaugmented.

        Args:
            split: `train`, `validation` or `test`.
            batch_size: examples in a batch; the last one may have fewer.
            share: as of `training_batches`.
        """
        return self._split_data(_checked(split)).ordered(batch_size, share)

    def raw_batches(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields the images of `batches` before preprocessing, (N, H, W, C) of the native shape."""
        return self._records[_checked(split)].images(batch_size)

    def raw_images(self, split: str, positions: np.ndarray) -> np.ndarray:
        """Returns some images of a split before preprocessing, (N, H, W, C).

        Args:
            split: `train`, `validation` or `test`.
            positions: of each, in the order of `examples`, (N,).
        """
        records = self._records[_checked(split)]
        found: np.ndarray = records.decode(records.fetch(positions)).numpy()
        return found

    def training_batches(
        self,
        batch_size: int,
        *,
        first_epoch: int = 0,
        first_step: int = 0,
        epochs: int,
        smallest_batch: int = 1,
        share: Share | None = None,
    ) -> tf.data.Dataset:
        """Returns shuffled and augmented batches of the training split, epoch after epoch.

        The whole is one dataset of `(epochs - first_epoch) * steps_per_epoch(batch_size)` batches,
        less the `first_step` that are left out, for `model.fit(..., steps_per_epoch=...)`. Each
        epoch is a pure function of the experiment's seed and the epoch's number.

        Args:
            batch_size: examples in a batch; the last one of an epoch may have fewer.
            first_epoch: the epoch to begin with, from 0; more than 0 to resume.
            first_step: the batch of that epoch to begin with, from 0.
            epochs: the epoch to end before.
            smallest_batch: a last batch of an epoch that has fewer examples joins the one before.
            share: the rows of each batch to load, as one of several workers; None for all. With it
                the size of the whole batch comes before the rest.

        Returns:
            Batches (images, labels), or (images, labels, weights): see `training_weights`.

        Raises:
            ValueError: there is no epoch from `first_epoch` to `epochs`, or no such step.
        """
        if not 0 <= first_epoch < epochs:
            raise ValueError(
                f"first_epoch must be at least 0 and below epochs; got {first_epoch} and {epochs}."
            )
        stream = self._stream(batch_size, smallest_batch)
        if not 0 <= first_step <= stream.steps_per_epoch:
            raise ValueError(
                f"first_step must be from 0 to the {stream.steps_per_epoch} batches of an epoch; "
                f"got {first_step}."
            )
        return stream.batches(first_epoch, epochs, first_step, share)

    @contextlib.contextmanager
    def feeding(self) -> Iterator[None]:
        """What `training_batches` are gone through in.

        When it ends, so do the processes that simulate fresh images. Where one of them has failed,
        its error is raised in place of the one that TensorFlow makes of it.
        """
        if self._fresh is None:
            yield
        else:
            with self._fresh.feeding():
                yield

    def training_batch_examples(
        self, batch_size: int, epoch: int, step: int, *, smallest_batch: int = 1
    ) -> Examples:
        """Returns ids and labels or targets of one batch of `training_batches`, before any mixing.

        Args:
            batch_size: as of `training_batches`.
            epoch: the batch's epoch, from 0.
            step: its place in the epoch, from 0.
            smallest_batch: as of `training_batches`.
        """
        return Examples(*self._stream(batch_size, smallest_batch).examples(epoch, step))

    def _stream(self, batch_size: int, smallest_batch: int) -> TrainingStream | FreshStream:
        if self._fresh is not None:
            return self._fresh.stream(self._split_data("train"), batch_size, self._encode)
        return TrainingStream(
            self._split_data("train"),
            batch_size,
            seed=self.experiment.seed,
            augmentation=self.experiment.data.augmentation,
            balance=self._balance,
            weights=self.training_weights,
            smallest_batch=smallest_batch,
        )

    @functools.cached_property
    def _fresh(self) -> FreshTraining | None:
        """What simulates the images of training; None where they are prepared."""
        if not self.experiment.data.fresh:
            return None
        return FreshTraining.of(self.experiment, self.splits)

    @functools.cached_property
    def _balance(self) -> Oversampling | Balancing | None:
        """How often the examples of each class come in an epoch; None for once."""
        labels, balance = self._records["train"].labels, self.experiment.data.balance
        if balance == "oversample" and self.classes:
            return Oversampling.of(labels, len(self.classes))
        if balance == "balanced" and self.classes:
            return Balancing.of(labels, len(self.classes))
        return None

    def _split_data(self, split: str) -> SplitData:
        if split not in self._opened:
            records = self._records[split]
            labels = self._encode(records.labels)
            self._opened[split] = SplitData(records, labels, self.preprocessing)
        return self._opened[split]

    def _encode(self, values: np.ndarray) -> np.ndarray:
        """Returns labels or targets as the network is to say them, (N, K) float32."""
        if self.experiment.task_spec.output_per_class:
            return np.eye(len(self.classes), dtype=np.float32)[values]
        return values.astype(np.float32)[:, np.newaxis]

    def _fit_preprocessing(self) -> Preprocessing:
        data = self.experiment.data
        return Preprocessing.fit(
            self.native_shape,
            data.image_size,
            data.normalization,
            self._records["train"].images,
            repeat_channels=data.repeat_channels,
            crop=data.crop,
        )

    def _fit_target_transform(self) -> TargetTransform | None:
        """Returns in what form the targets are learned; None for classes.

        Raises:
            DataError: a target that has no logarithm.
        """
        if self.classes:
            return None
        name = self.experiment.data.target_transform
        for records in self._records.values() if name == "log10" else ():
            bad = np.flatnonzero(~(records.labels > 0))
            if len(bad):
                raise DataError(
                    f"data.target_transform: log10 needs targets above 0; that of "
                    f'"{records.ids[bad[0]]}" is {records.labels[bad[0]]:g} ({len(bad)} such). Use '
                    "standardised, or leave these examples out.",
                    key="data.target_transform",
                )
        return TargetTransform.fit(name, self._records["train"].labels)

    def _check_parts(self) -> None:
        """Checks the splits that are used, which slices may have made of those prepared.

        Raises:
            ConfigurationError: two of them share an example.
            DataError: the training split lacks a class.
        """
        slices = () if self.splits.are_fractions else itertools.combinations(SPLITS, 2)
        for one, other in slices:
            shared = np.intersect1d(self._records[one].ids, self._records[other].ids)
            if len(shared):
                raise ConfigurationError(
                    f"data.splits: {one} ({getattr(self.splits, one)!r}) and {other} "
                    f"({getattr(self.splits, other)!r}) share {len(shared)} examples, such as "
                    f'"{shared[0]}". Every example may stand in one split only.'
                )
        check_splits(
            {
                name: self.counts(name) if self.classes else {"": len(self._records[name])}
                for name in SPLITS
            },
            self.classes,
        )


def _folded(experiment: Experiment) -> Splits | None:
    """Which folds the splits are, the first being tested where nobody says which; None for none."""
    training = experiment.training
    return None if training.folds is None else splits_of_fold(training.folds, training.fold or 0)


def _checked(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}.")
    return split
