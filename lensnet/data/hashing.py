"""Numbers that follow from a text or from other numbers, the same everywhere and always.

Python's own hash of a string differs between processes; these do not. The mixing function is the
finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA): each bit of the input changes each bit
of the output with probability one half. `lensnet.data.augmentation.stateless_random` holds the same
function as TensorFlow operations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["FINALISER", "GOLDEN", "mix", "stable_hash", "stable_hashes", "unit_interval"]

GOLDEN = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio, made odd: the step of SplitMix64."""

FINALISER = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None))
"""The rounds of the finaliser: how far to shift, and what to multiply by."""


def stable_hash(text: str) -> int:
    """Returns 64 bits that follow from a text alone.

    >>> stable_hash("lens/7") == stable_hash("lens/7")
    True
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stable_hashes(texts: Iterable[str]) -> np.ndarray:
    """Returns the hashes of many texts, (N,) uint64."""
    return np.fromiter((stable_hash(text) for text in texts), dtype=np.uint64)


def mix(*numbers: int | np.ndarray) -> np.ndarray:
    """Returns 64 bits that follow from a sequence of numbers, element by element, uint64.

    >>> bool(mix(1, 2) == mix(2, 1))
    False
    """
    state: Any = np.uint64(0)
    with np.errstate(over="ignore"):
        for number in numbers:
            value = np.asarray(number).astype(np.uint64)
            state = _finalise((state ^ value) + np.uint64(GOLDEN))
    return np.asarray(state)


def _finalise(state: np.ndarray) -> np.ndarray:
    for shift, factor in FINALISER:
        state = state ^ (state >> np.uint64(shift))
        if factor is not None:
            state = state * np.uint64(factor)
    return state


def unit_interval(bits: int | np.ndarray) -> np.ndarray:
    """Returns 64 bits as a number from 0 up to, but without, 1.

    >>> float(unit_interval(2**63))
    0.5
    """
    return (np.asarray(bits).astype(np.uint64) >> np.uint64(11)) * 2.0**-53
