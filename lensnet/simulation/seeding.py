"""Random generators that are pure functions of what is drawn."""

from __future__ import annotations

import zlib

import numpy as np

from lensnet.simulation.validation import check_integer

__all__ = ["random_generators"]


def random_generators(stream: str, index: int, seed: int, count: int) -> list[np.random.Generator]:
    """Returns `count` independent generators for one image.

    They depend on nothing but the arguments: not on how many images are asked for, in what order,
    or by which process. Several generators let parts of an image (its parameters, its noise) keep
    their draws when another part draws more.

    Args:
        stream: name of the population the image belongs to, such as its class. Its CRC-32 enters
            the seed, because Python's own hash of a string differs between processes.
        index: number of the image within the stream.
        seed: the user's seed.
        count: how many generators.

    Raises:
        ValueError: `index` or `seed` is negative or no integer.

    >>> one, two = random_generators("lens", index=3, seed=0, count=2)
    >>> again, _ = random_generators("lens", index=3, seed=0, count=2)
    >>> bool(one.random() == again.random())
    True
    """
    check_integer("index", index, minimum=0)
    check_integer("seed", seed, minimum=0)
    sequence = np.random.SeedSequence([int(seed), zlib.crc32(stream.encode()), int(index)])
    # SFC64 draws noise a tenth faster than NumPy's default, PCG64, whose jumps are not needed here.
    return [np.random.Generator(np.random.SFC64(child)) for child in sequence.spawn(count)]
