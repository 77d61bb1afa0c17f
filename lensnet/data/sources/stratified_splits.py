"""Dividing small sets so that each class keeps its fractions and none lacks a split.

A threshold on the hash of an id leaves the small splits of a small set as uneven as dice do: 40
images of a class gave 2 to validation and 8 to the test. Here the examples of a class stand in the
order of their hashes, and the splits are cut from that order in whole numbers. An example keeps its
place in the order whatever else there is, so that another example moves those alone that stand at
the two cuts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lensnet.data.hashing import mix, stable_hashes, unit_interval
from lensnet.data.sources.folder_listing import Example

__all__ = ["LARGE_CLASS", "divide", "divide_examples"]

LARGE_CLASS = 2000
"""Examples from which on a class is divided by a threshold on the hash, where no example moves."""

# Below this a share of an example is what rounding has left of a whole one.
_WHOLE = 1e-6


def divide_examples(
    examples: Sequence[Example],
    names: Sequence[str],
    fractions: Sequence[float],
    seed: int,
    by_hash: Callable[[str], str],
    *,
    stratify: bool,
) -> list[str]:
    """Returns the name of the split of each of all the examples of a source.

    Args:
        examples: all of them.
        names: of the splits.
        fractions: of the splits.
        seed: the seed of the splits.
        by_hash: gives the split of an example by its `split_key` alone.
        stratify: whether to `divide` them; else by the hash. What is known to be bad takes
            nobody's place, and is divided by the hash in any case.
    """
    divided = [example for example in examples if stratify and example.problem is None]
    keys = [example.split_key for example in divided]
    labels = [example.label or "" for example in divided]
    exact = iter(divide(keys, labels, seed, fractions))
    return [
        names[next(exact)] if stratify and example.problem is None else by_hash(example.split_key)
        for example in examples
    ]


def divide(
    keys: Sequence[str], labels: Sequence[str], seed: int, fractions: Sequence[float]
) -> list[int]:
    """Returns the number of each example's split, 0 to `len(fractions) - 1`.

    Each class, and all of them together, come within one example of the fractions, as far as no
    class is left without an example in a split and no group is torn apart. That a class is never
    without one holds where it has as many groups as there are splits.

    Args:
        keys: of each example, its id or what it shares with its copies.
        labels: of each example, the name of its class; "" for a regression.
        seed: the seed of the splits.
        fractions: of the splits; one that is 0 gets nothing.

    >>> keys = [f"lens/{index}" for index in range(40)]
    >>> splits = divide(keys, ["lens"] * 40, 0, (0.8, 0.1, 0.1))
    >>> [splits.count(number) for number in range(3)]
    [32, 4, 4]
    """
    members: dict[str, Counter[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        members.setdefault(key, Counter())[label] += 1
    of_key: dict[str, int] = {}
    parts = np.asarray(fractions, np.float64)
    owed = np.zeros(len(parts))
    for _, groups in sorted(_strata(members).items()):
        names = sorted(groups)
        sizes = np.array([members[name].total() for name in names])
        positions = unit_interval(mix(seed, stable_hashes(names)))
        numbers = np.searchsorted(np.cumsum(parts)[:-1], positions, side="right")
        present = np.isin(np.arange(len(parts)), numbers)
        if sizes.sum() < LARGE_CLASS or np.any(~present & (parts > 0)):
            shares = sizes.sum() * parts
            numbers = _by_rank(positions, sizes, _quotas(shares, owed), parts > 0)
            owed += shares - np.bincount(numbers, sizes, minlength=len(parts))
        of_key.update(zip(names, numbers.tolist(), strict=True))
    return [of_key[key] for key in keys]


def _strata(members: Mapping[str, Counter[str]]) -> dict[str, list[str]]:
    """Returns the groups of each class; one with several classes counts to the rarest of them."""
    groups_of = Counter(label for labels in members.values() for label in labels)
    strata: dict[str, list[str]] = {}
    for name, labels in members.items():
        rarest = min(labels, key=lambda label: (groups_of[label], label))
        strata.setdefault(rarest, []).append(name)
    return strata


def _quotas(shares: np.ndarray, owed: np.ndarray) -> np.ndarray:
    """Rounds the shares of a class to whole examples, each up or down.

    Which are rounded up is decided by their remainders and by what the classes before owe to each
    split, so that classes of fifteen do not all give their odd example to the same one.
    """
    counts = np.floor(shares + _WHOLE)
    remainders = shares - counts
    missing = round(float(shares.sum() - counts.sum()))
    merit = np.where(remainders > _WHOLE, remainders + owed, -np.inf)
    counts[np.argsort(-merit, kind="stable")[:missing]] += 1
    return counts


def _by_rank(
    positions: np.ndarray, sizes: np.ndarray, quotas: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Returns the split of each group, cut from their order in whole groups.

    Args:
        positions: of the groups in the order, (N,).
        sizes: the examples in each, (N,).
        quotas: how many examples each split is to get.
        wanted: whether each split must have a group where there are enough of them.
    """
    order = np.argsort(positions, kind="stable")
    # A group goes where its middle lies.
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    numbers = np.searchsorted(np.cumsum(quotas)[:-1], middles, side="right")
    counts = np.bincount(numbers, minlength=len(quotas))
    if len(order) >= wanted.sum():
        for empty in np.flatnonzero(wanted & (counts == 0)):
            counts[np.argmax(counts)] -= 1
            counts[empty] += 1
    found = np.empty(len(order), np.int64)
    found[order] = np.repeat(np.arange(len(counts)), counts)
    return found
