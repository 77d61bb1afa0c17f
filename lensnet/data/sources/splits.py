"""Which split an example belongs to.

By `data.stratify`, each class of fewer than 2,000 examples is divided exactly
(`stratified_splits`). Otherwise, and in larger classes, the split is a pure function of (seed,
example id): adding files moves no old example, because none's split depends on any other.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.config.sections import Splits
from lensnet.data.hashing import mix, stable_hash, unit_interval
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.folds import (
    assign_folds,
    assign_simulated_fold,
    check_fold_counts,
    check_folds_listed,
    fold_names,
)
from lensnet.data.sources.stratified_splits import divide_examples
from lensnet.errors import ConfigurationError, DataError

__all__ = [
    "CUT_FRACTION",
    "MINIMUM_PER_CLASS",
    "SPLITS",
    "SplitPlan",
    "assign_simulated_split",
    "assign_split",
    "check_listed",
    "check_splits",
]

SPLITS = ("train", "validation", "test")

CUT_FRACTION = 0.1
"""Share of the training folder that goes into a split for which there is no folder."""

MINIMUM_PER_CLASS = 3
"""Images a class needs: one for each split."""

_BLOCK = 10
_logger = logging.getLogger(__name__)


def assign_split(
    seed: int, example_id_or_group: str, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> str:
    """Returns the split of an example by a threshold on the hash of (seed, id).

    Args:
        seed: the seed of the splits.
        example_id_or_group: the example's id, or what it shares with its copies.
        fractions: of the training, validation and test splits.

    >>> assign_split(0, "lens/7"), assign_split(0, "lens/7")
    ('train', 'train')
    """
    return _split_at(float(unit_interval(mix(seed, stable_hash(example_id_or_group)))), fractions)


def assign_simulated_split(
    seed: int, stream: str, index: int, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> str:
    """Returns the split of image number `index` of a class, evenly filled in every ten images.

    A hash alone would leave the small splits of a small set as uneven as dice do. Here each block
    of ten indices covers the unit interval once, in an order that the seed, the class and the
    block shuffle: ten images a class are split 8, 1, 1 exactly. Still nothing but the arguments
    decides, so that asking for more images moves none.

    Args:
        seed: the seed of the splits.
        stream: the class, or whatever else numbers its images from 0.
        index: the image's number.
        fractions: of the training, validation and test splits.

    >>> [assign_simulated_split(0, "lens", index) for index in range(10)].count("train")
    8
    """
    block, place = divmod(index, _BLOCK)
    name = stable_hash(stream)
    order = np.argsort(mix(seed, name, block, np.arange(_BLOCK)))
    # Where fractions are not tenths, the place within a tenth decides: a golden-ratio sequence.
    golden = (5**0.5 - 1) / 2
    within = (float(unit_interval(mix(seed, name))) + block * golden) % 1.0
    return _split_at((float(order[place]) + within) / _BLOCK, fractions)


def _split_at(position: float, fractions: Sequence[float]) -> str:
    train, validation, _ = fractions
    if position < train:
        return "train"
    return "validation" if position < train + validation else "test"


@dataclass(frozen=True)
class SplitPlan:
    """How the examples of a source are divided when they are prepared.

    Either by `fractions`, or as the source's own folders say; a split that is asked for and has no
    folder is cut from the training folder, a tenth of it. Or into `folds` (`folds.py`).

    Args:
        fractions: of the training, validation and test splits; None for the source's own.
        seed: the seed of whatever is cut by a hash; None where nothing is.
        cut: the splits to cut from the training folder.
        stratify: whether small classes are divided exactly; else by the hash of each id alone.
        folds: how many there are; None for the three splits.
    """

    fractions: tuple[float, float, float] | None
    seed: int | None
    cut: tuple[str, ...] = ()
    stratify: bool = True
    folds: int | None = None

    @classmethod
    def make(
        cls,
        splits: Splits | None,
        own: Sequence[str],
        seed: int,
        *,
        stratify: bool = True,
        folds: int | None = None,
    ) -> SplitPlan:
        """Plans the splits that `data.splits` asks for.

        Args:
            splits: `data.splits`; None for the source's own, or else 0.8, 0.1, 0.1.
            own: the splits that the source's folders name; () if they name none.
            seed: `data.seed`.
            stratify: `data.stratify`.
            folds: `training.folds`.

        Raises:
            ConfigurationError: fractions, or folds, are asked of a source that has its own splits.
        """
        if folds is not None:
            if own:
                raise ConfigurationError(
                    f"training.folds: the data bring their own splits ({', '.join(own)}), which "
                    "folds would mix: leave it out.",
                    key="training.folds",
                )
            return cls(None, seed, stratify=stratify, folds=folds)
        if not own:
            if splits is None or not splits.are_fractions:
                splits = Splits.model_validate({})
            train, validation, test = (float(getattr(splits, name)) for name in SPLITS)
            return cls((train, validation, test), seed, stratify=stratify)
        if splits is not None and splits.are_fractions:
            raise ConfigurationError(
                f"The data bring their own splits ({', '.join(own)}): leave data.splits out to "
                f'use them, or write slices of them such as "train[:90%]".'
            )
        asked = SPLITS if splits is None else tuple(_names(splits))
        cut = tuple(name for name in SPLITS[1:] if name in asked and name not in own)
        return cls(None, seed if cut else None, cut, stratify)

    @property
    def description(self) -> dict[str, Any]:
        """What decides the prepared splits, for the fingerprint."""
        known: dict[str, Any] = {
            "fractions": self.fractions,
            "seed": self.seed,
            "cut": self.cut,
        }
        if self.folds is not None:
            known = {"folds": self.folds, "seed": self.seed}
        # Only where it decides something: what was prepared before it was known keeps its name.
        return {**known, "stratify": True} if self.stratify and self.seed is not None else known

    @property
    def named(self) -> Splits | None:
        """What a run folder writes down of it; None for the source's own splits.

        Where the splits of folders were completed from the training folder, there is nothing
        shorter to say than the names of all three.
        """
        if self.fractions is None:
            return None
        train, validation, test = self.fractions
        return Splits(train=train, validation=validation, test=test)

    def names(self, found: Iterable[str]) -> list[str]:
        """Returns the splits that are prepared, in order.

        Args:
            found: those that examples were assigned to.
        """
        if self.folds is not None:
            return fold_names(self.folds)
        asked = SPLITS if self.fractions is not None else (*found, *self.cut)
        others = sorted({split for split in asked if split not in SPLITS})
        return [*(split for split in SPLITS if split in asked), *others]

    def check_listed(self, examples: Iterable[Example], classes: Sequence[str]) -> None:
        """Checks that each class has enough images to be divided, before any is read.

        Raises:
            DataError: a class has fewer than three.
            ConfigurationError: it has fewer than there are folds.
        """
        if self.folds is not None:
            check_folds_listed(examples, classes, self.folds)
        else:
            check_listed(examples, classes)

    def check(self, counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> None:
        """Checks that what was prepared can serve; see `check_splits` and `check_fold_counts`."""
        if self.folds is not None:
            check_fold_counts(counts, classes, self.folds)
        else:
            check_splits(counts, classes, warn=False)

    def assign(self, examples: Sequence[Example]) -> list[str]:
        """Returns the split of each of all the examples of a source."""
        if self.folds is not None:
            return assign_folds(examples, self.folds, self.seed or 0, stratify=self.stratify)
        if self.fractions is not None:
            return self._divided(examples, self.fractions, stratify=self.stratify)
        found = [example.split or "train" for example in examples]
        if self.cut:
            shares = [CUT_FRACTION if name in self.cut else 0.0 for name in SPLITS[1:]]
            places = [place for place, split in enumerate(found) if split == "train"]
            training = [examples[place] for place in places]
            fractions = (1 - sum(shares), *shares)
            divided = self._divided(training, fractions, stratify=self.stratify)
            for place, split in zip(places, divided, strict=True):
                found[place] = split
        return found

    def assign_simulated(self, examples: Sequence[Example]) -> list[str]:
        """Returns the split of each image of a simulation, whose id is `class/number`.

        Where a class has so few images that one of the splits would get none, it is divided as
        files are.
        """
        if self.folds is not None:
            parts = (example.id.rpartition("/") for example in examples)
            seed = self.seed or 0
            return [assign_simulated_fold(seed, a, int(b), self.folds) for a, _, b in parts]
        fractions = self.fractions or (1.0, 0.0, 0.0)
        found = []
        for stream, images in itertools.groupby(examples, lambda e: e.id.rpartition("/")[0]):
            of_class = list(images)
            numbers = (int(image.id.rpartition("/")[2]) for image in of_class)
            splits = [
                assign_simulated_split(self.seed or 0, stream, number, fractions)
                for number in numbers
            ]
            present = {name for name, part in zip(SPLITS, fractions, strict=True) if part}
            if not present <= set(splits):
                splits = self._divided(of_class, fractions, stratify=True)
            found += splits
        return found

    def _divided(
        self, examples: Sequence[Example], fractions: Sequence[float], *, stratify: bool
    ) -> list[str]:
        seed = self.seed or 0

        def by_hash(key: str) -> str:
            return assign_split(seed, key, fractions)

        return divide_examples(examples, SPLITS, fractions, seed, by_hash, stratify=stratify)


def _names(splits: Splits) -> list[str]:
    """The splits that slices such as "train[:90%]+validation" are made of."""
    text = "+".join(str(value) for value in (splits.train, splits.validation, splits.test))
    return [part.partition("[")[0].strip() for part in text.split("+")]


def check_listed(examples: Iterable[Example], classes: Sequence[str]) -> None:
    """Checks that each class has enough images to be divided, before any is read.

    Raises:
        DataError: a class has fewer than three.
    """
    counts = Counter(example.label for example in examples)
    few = [name for name in classes if counts[name] < MINIMUM_PER_CLASS]
    if few:
        listed = ", ".join(f'"{name}" has {counts[name]}' for name in few)
        raise DataError(
            f"Each class needs {MINIMUM_PER_CLASS} images at least, one for each split; {listed}. "
            "Add images, or leave the class out with data.options.classes."
        )


def check_splits(
    counts: Mapping[str, Mapping[str, int]], classes: Sequence[str], *, warn: bool = True
) -> None:
    """Checks that the splits can serve: each class in training, something in the others.

    A class that is missing from the validation or the test split is a warning.

    Args:
        counts: good examples by split and class; for regression under the class "".
        classes: the classes; () for regression.
        warn: whether to warn.

    Raises:
        DataError: the training split lacks a class, or another split is empty.
    """
    words = "; ".join(
        f"{split}: {sum(of_class.values())}"
        + (f" ({', '.join(f'{name} {of_class.get(name, 0)}' for name in classes)})" * bool(classes))
        for split, of_class in counts.items()
    )
    for name in classes or ("",):
        if not counts.get("train", {}).get(name):
            what = f'no image of the class "{name}"' if name else "no image"
            raise DataError(
                f"The training split has {what} ({words}). Add images, choose another data.seed, "
                "or change data.splits."
            )
    for split in SPLITS[1:]:
        of_class = counts.get(split, {})
        if split in counts and not sum(of_class.values()):
            raise DataError(
                f"The {split} split is empty ({words}). Add images, choose another data.seed, or "
                "change data.splits."
            )
        missing = [name for name in classes if not of_class.get(name)]
        if split in counts and missing and warn:
            _logger.warning(
                "The %s split has no image of %s (%s).", split, " or of ".join(missing), words
            )
