"""What becomes of a candidate: it is trained on, validated on, or held out to measure the gain."""

from __future__ import annotations

from lensnet.data.hashing import mix, stable_hash, unit_interval

__all__ = ["HELD_OUT", "HELD_OUT_SHARE", "VALIDATION_SHARE", "split_of"]

HELD_OUT = "held_out"
"""The split of candidates that no training sees."""

HELD_OUT_SHARE = 0.2
VALIDATION_SHARE = 0.1

_STREAM = stable_hash("graded candidates")


def split_of(
    group_or_id: str, held_out: float = HELD_OUT_SHARE, validation: float = VALIDATION_SHARE
) -> str:
    """Returns the split of a candidate by the hash of its group, or else of its id.

    Nothing else decides, no seed and no other candidate: what is held out in one round is in all.
    A larger share holds out what a smaller one did, and more.

    Args:
        group_or_id: the candidate's id, or what it shares with its copies.
        held_out: share that is held out.
        validation: share that is validated on.

    >>> [split_of(f"J{number}") for number in range(100)].count("held_out")
    20
    """
    place = float(unit_interval(mix(_STREAM, stable_hash(group_or_id))))
    if place < held_out:
        return HELD_OUT
    return "validation" if place < held_out + validation else "train"
