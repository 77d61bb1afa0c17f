"""Everything that is found out about the data of an experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lensnet.config import Experiment
from lensnet.config.normalization import Normalization
from lensnet.data.hashing import mix, stable_hashes
from lensnet.data.prepared import PreparedData
from lensnet.data.preparing import prepare
from lensnet.data.records.index import Quarantined, read_index
from lensnet.data.records.records import Records, open_records
from lensnet.data.sources.splits import SPLITS
from lensnet.exploration.bands import band_names
from lensnet.exploration.duplicates import Duplicates, find_duplicates
from lensnet.exploration.groups import Groups
from lensnet.exploration.histograms import Histograms, band_ranges, fill_histograms
from lensnet.exploration.metadata import Metadata, read_metadata
from lensnet.exploration.survey import Batch, Survey, survey
from lensnet.progress import track

__all__ = ["SAMPLES", "Exploration", "explore"]

SAMPLES = 8
"""Images of each group that are shown, unless asked otherwise."""

# Images are gone through so many numbers at a time, which take eight times as many bytes in all.
_BATCH_NUMBERS = 2**21
_MOST_IMAGES = 256


@dataclass(frozen=True)
class Exploration:
    """What has been found out about the data of an experiment.

    Images are those of the splits that the experiment uses, in the order training, validation,
    test; N in all. Samples, means, profiles and histograms are of the training split alone, so
    that looking at them does not spoil the test.

    Args:
        experiment: whose data they are.
        data: as prepared, with raw images.
        ids: (N,) of the examples.
        splits: (N,) of each image.
        labels: (N,) the class or the target of each image, as text.
        targets: (N,) of a regression; None for classes.
        groups: the classes, or quarters of the training targets.
        group_of: (N,) the group of each image.
        bands: the names of the channels.
        survey: what a pass over all images has found.
        histograms: of each band.
        metadata: what the records know besides.
        duplicates: images that are in the data more than once.
    """

    experiment: Experiment
    data: PreparedData
    ids: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    targets: np.ndarray | None
    groups: Groups
    group_of: np.ndarray
    bands: tuple[str, ...]
    survey: Survey
    histograms: list[Histograms]
    metadata: Metadata
    duplicates: list[Duplicates]

    @property
    def quarantine(self) -> tuple[Quarantined, ...]:
        """The bad files that were left out, and why."""
        return self.data.quarantine

    @property
    def fingerprint(self) -> str:
        """What stands for source files, options and splits in the name of the records' folder."""
        return self.data.directory.parent.name.rpartition("-")[2]


def explore(experiment: Experiment, *, samples: int = SAMPLES, seed: int = 0) -> Exploration:
    """Goes through the data of an experiment, which are prepared if they are not yet.

    Two passes over the records, with progress on standard error. Memory is a batch of images, the
    samples, and for each image 57 bytes for one band, 40 for each further one and 8 for each
    number that the records know of it, besides its id and label.

    Images are taken raw: `data.crop`, `data.image_size`, `data.normalization` and
    `data.augmentation` change nothing here.

    Args:
        experiment: whose data to explore.
        samples: images of each class to show; 0 for none.
        seed: which images these are.

    Raises:
        DataError: the data are missing or bad, or cannot serve the experiment.
        ConfigurationError: `data.splits` do not fit the data.
    """
    as_they_come = experiment.data.model_copy(
        update={
            "crop": None,
            "image_size": None,
            "repeat_channels": None,
            "normalization": Normalization(),
            "augmentation": [],
            "balance": "none",
        }
    )
    data = prepare(experiment.model_copy(update={"data": as_they_come}))
    index = read_index(data.directory, data.classes)
    records = {split: open_records(data.builder, index, _part(data, split)) for split in SPLITS}
    lengths = [len(of_split) for of_split in records.values()]
    ids = np.concatenate([of_split.ids for of_split in records.values()])
    labels = np.concatenate([of_split.labels for of_split in records.values()])
    splits = np.repeat(np.array(SPLITS), lengths)
    training = splits == "train"
    groups = Groups.by_class(data.classes) if data.classes else Groups.by_target(labels[training])
    group_of = groups.of(labels)
    found = survey(
        _tracked(_batches(records), "Looking at images", len(ids)),
        image_shape=data.native_shape,
        groups=group_of,
        num_groups=len(groups),
        ids=ids,
        shown=_chosen(ids[training], group_of[training], len(groups), samples, seed),
    )
    histograms = fill_histograms(
        _tracked(_batches({"train": records["train"]}), "Counting pixels", int(np.sum(training))),
        band_ranges(found, training),
        group_of,
        len(groups),
    )
    texts = _as_text(labels, data.classes)
    return Exploration(
        experiment=experiment,
        data=data,
        ids=ids,
        splits=splits,
        labels=texts,
        targets=None if data.classes else labels,
        groups=groups,
        group_of=group_of,
        bands=band_names(experiment.dataset_options, data.native_shape[2]),
        survey=found,
        histograms=histograms,
        metadata=read_metadata(
            data.directory, {name: place for place, name in enumerate(ids.tolist())}
        ),
        duplicates=find_duplicates(found.forms, ids, splits, texts),
    )


def _part(data: PreparedData, split: str) -> str:
    part = getattr(data.splits, split)
    return part if isinstance(part, str) else split


def _as_text(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Returns the class names or the targets of labels as text that is different if they are."""
    names = [classes[label] if classes else repr(float(label)) for label in labels]
    return np.array(names, dtype=object)


def _batches(records: dict[str, Records]) -> Iterator[Batch]:
    """Yields the images of splits one after the other."""
    first = 0
    for split, of_split in records.items():
        numbers = max(1, of_split.pixels // max(1, len(of_split)))
        size = max(1, min(_MOST_IMAGES, _BATCH_NUMBERS // numbers))
        for images in of_split.images(size):
            yield Batch(first, images, split == "train")
            first += len(images)


def _tracked(batches: Iterable[Batch], what: str, total: int) -> Iterator[Batch]:
    return track(batches, what, total=total, count=lambda batch: len(batch.images))


def _chosen(
    ids: np.ndarray, groups: np.ndarray, num_groups: int, number: int, seed: int
) -> list[list[int]]:
    """Returns of each group so many positions, which follow from seed and ids alone."""
    order = np.argsort(mix(seed, stable_hashes(ids.tolist())), kind="stable")
    return [order[groups[order] == group][:number].tolist() for group in range(num_groups)]
