"""Samples of a data set: what tells the shape of its images, and what stands for fresh ones."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.source import Loaded, Shape, Source
from lensnet.errors import DataError

__all__ = ["FRESH_SAMPLE", "emptied", "fresh_sample", "most_frequent_shape", "read_sample"]

FRESH_SAMPLE = 1000
"""Training images that are prepared with `data.fresh`, of all classes together."""

_MOST_EXAMPLES = 200

# Bytes of pixels after which no further image is read, for the sample is kept.
_ENOUGH_BYTES = 64 * 2**20


def read_sample(source: Source, training: Sequence[Example]) -> list[Loaded]:
    """Returns the first training examples, up to 200 or 64 MB of them, loaded.

    Args:
        source: what loads them.
        training: the training examples, in the order in which they are written.
    """
    sample: list[Loaded] = []
    held = 0
    with contextlib.closing(source.load(training[:_MOST_EXAMPLES])) as loading:
        for loaded in loading:
            sample.append(loaded)
            held += 0 if loaded.image is None else loaded.image.nbytes
            if held >= _ENOUGH_BYTES:
                break
    return sample


def fresh_sample(training: Sequence[Example]) -> list[Example]:
    """Returns the training examples that are prepared where the network trains on fresh ones.

    They are of the kind of those that it trains on, and no others: what the statistics of
    normalisation and of targets are made of, and what an exploration shows. The first of each
    class, as many of one as of another.

    Args:
        training: the training examples, in the order in which they are listed.
    """
    classes = {example.label for example in training}
    room = dict.fromkeys(classes, max(1, FRESH_SAMPLE // max(1, len(classes))))
    sample = []
    for example in training:
        if room[example.label]:
            room[example.label] -= 1
            sample.append(example)
    return sample


def emptied(items: list[Loaded]) -> Iterator[Loaded]:
    """Yields the items of a list, which keeps none of them."""
    items.reverse()
    while items:
        yield items.pop()


def most_frequent_shape(sample: Sequence[Loaded], where: str) -> Shape:
    """Returns the shape (H, W, C) that most images of a sample have.

    Args:
        sample: examples, good and bad.
        where: where they are from, for the message.

    Raises:
        DataError: there is no good one among them.
    """
    counts: Counter[Shape] = Counter(
        loaded.image.shape  # type: ignore[misc]
        for loaded in sample
        if loaded.image is not None
    )
    if not counts:
        first = f" The first: {sample[0].error}" if sample else ""
        raise DataError(f"Of the training images in {where} none can be read.{first}")
    # Among shapes equally frequent the same one wins in every run.
    return max(sorted(counts), key=counts.__getitem__)
