"""Dividing examples into folds for cross-validation.

The records are prepared once for all folds, each fold being a split of its own. Which of them is
tested, chooses the best epoch, or is trained on is said when they are read: fold i is tested by run
i, validated by run i - 1 and trained on by all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lensnet.config.sections import Splits
from lensnet.data.hashing import mix, stable_hash, unit_interval
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.stratified_splits import divide_examples
from lensnet.errors import ConfigurationError, DataError

__all__ = [
    "assign_folds",
    "assign_simulated_fold",
    "check_fold_counts",
    "check_folds_listed",
    "fold_names",
    "splits_of_fold",
]


def fold_names(folds: int) -> list[str]:
    """Returns the names of the splits that folds are prepared as.

    >>> fold_names(3)
    ['fold_0', 'fold_1', 'fold_2']
    """
    return [f"fold_{number}" for number in range(folds)]


def splits_of_fold(folds: int, fold: int) -> Splits:
    """Returns what a run of cross-validation trains on, validates on and is tested on.

    >>> splits_of_fold(4, 3)
    Splits(train='fold_1+fold_2', validation='fold_0', test='fold_3')
    """
    names = fold_names(folds)
    test, validation = fold, (fold + 1) % folds
    rest = (name for place, name in enumerate(names) if place not in (test, validation))
    return Splits(train="+".join(rest), validation=names[validation], test=names[test])


def assign_folds(
    examples: Sequence[Example], folds: int, seed: int, *, stratify: bool = True
) -> list[str]:
    """Returns the fold of each of all the examples of a source, groups being kept together.

    Args:
        examples: all of them.
        folds: how many.
        seed: of the division.
        stratify: whether small classes are divided exactly; else by the hash of each id alone.
    """
    names = fold_names(folds)

    def by_hash(key: str) -> str:
        return names[int(float(unit_interval(mix(seed, stable_hash(key)))) * folds)]

    return divide_examples(examples, names, [1 / folds] * folds, seed, by_hash, stratify=stratify)


def assign_simulated_fold(seed: int, stream: str, index: int, folds: int) -> str:
    """Returns the fold of image number `index` of a class: each `folds` images fill all folds.

    Nothing but the arguments decides, so that asking for more images moves none.

    Args:
        seed: the seed of the division.
        stream: the class, or whatever else numbers its images from 0.
        index: the image's number.
        folds: how many there are.

    >>> sorted(assign_simulated_fold(0, "lens", index, 3) for index in range(3, 6))
    ['fold_0', 'fold_1', 'fold_2']
    """
    block, place = divmod(index, folds)
    order = np.argsort(mix(seed, stable_hash(stream), block, np.arange(folds)))
    return fold_names(folds)[int(order[place])]


def check_folds_listed(examples: Iterable[Example], classes: Sequence[str], folds: int) -> None:
    """Checks that each class can have an example in each fold, before any image is read.

    Args:
        examples: all that were listed.
        classes: the classes; () for a regression.
        folds: how many.

    Raises:
        ConfigurationError: a class has fewer examples, or groups of them, than there are folds.
    """
    groups: dict[str, set[str]] = {name: set() for name in classes or ("",)}
    count = dict.fromkeys(groups, 0)
    for example in examples:
        if example.problem is None:
            groups.setdefault(example.label or "", set()).add(example.split_key)
            count[example.label or ""] = count.get(example.label or "", 0) + 1
    few = [name for name, of_class in groups.items() if len(of_class) < folds]
    if not few:
        return
    name = min(few, key=lambda name: len(groups[name]))
    found = f"{count[name]} example{'s' * (count[name] != 1)}"
    if len(groups[name]) < count[name]:
        found += f" in {len(groups[name])} group{'s' * (len(groups[name]) != 1)}"
    whose = f'the class "{name}" has' if name else "the data have"
    raise ConfigurationError(
        f"training.folds: {folds} folds need as many examples of each class, and {whose} {found}. "
        f"Allowed with these data: 3 to {len(groups[name])}."
        if len(groups[name]) >= 3
        else f"training.folds: {folds} folds need as many examples of each class, and {whose} "
        f"{found}, fewer than the three folds that there must be. Add examples, or leave it out.",
        key="training.folds",
    )


def check_fold_counts(
    counts: Mapping[str, Mapping[str, int]], classes: Sequence[str], folds: int
) -> None:
    """Checks that each fold has an example of each class that is good.

    Args:
        counts: good examples by fold and class; for a regression under the class "".
        classes: the classes; () for a regression.
        folds: how many there are.

    Raises:
        DataError: one has none.
    """
    for fold in fold_names(folds):
        for name in classes or ("",):
            if not counts.get(fold, {}).get(name):
                what = f'no image of the class "{name}"' if name else "no image"
                raise DataError(
                    f"{fold} of {folds} has {what}. Add images, choose another data.seed, or fewer "
                    "training.folds.",
                    key="training.folds",
                )
