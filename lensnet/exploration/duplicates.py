"""Images that stand in the data more than once, as they are or rotated.

Two images are the same if every float32 pixel of one equals that of the other (0 and -0 are
equal); they are the same but for a rotation if that holds after one of them is rotated by a
multiple of 90 degrees, reflected, or both. Of the eight forms of an image one is chosen by a rule
that looks at pixels alone, so that all eight lead to the same: its hash finds the duplicates in one
pass, with 17 bytes of memory an image.

Copies that were scaled, shifted, resampled or compressed anew are other images here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["SAME", "Duplicates", "Member", "chosen_form", "find_duplicates"]

SAME = "same pixels"

# (reflected left to right first, then rotated by so many times 90 degrees counterclockwise)
_FORMS = tuple((reflected, quarters) for reflected in (False, True) for quarters in range(4))
_NAMES = {
    (False, 0): SAME,
    (False, 1): "rotated by 90°",
    (False, 2): "rotated by 180°",
    (False, 3): "rotated by 270°",
    (True, 0): "reflected",
    (True, 1): "reflected, rotated by 90°",
    (True, 2): "reflected, rotated by 180°",
    (True, 3): "reflected, rotated by 270°",
}
_HASH_BYTES = 16


@dataclass(frozen=True)
class Member:
    """One of several images that are the same.

    Args:
        id: of the example.
        split: where it is.
        label: the name of its class, or its target as text.
        change: what makes it of the first of them.
    """

    id: str
    split: str
    label: str
    change: str


@dataclass(frozen=True)
class Duplicates:
    """Images that are all the same, but for rotation.

    Args:
        members: two or more of them, in the order of the data.
        across_splits: whether they are of more than one split.
        contradict: whether they differ in class or target.
        count: how many there are; more than `members` where these are many.
        exact: whether all of them have the same pixels unrotated.
    """

    members: tuple[Member, ...]
    across_splits: bool
    contradict: bool
    count: int
    exact: bool


@dataclass
class Forms:
    """The hash of each image's chosen form, and which of the eight forms that is.

    Args:
        hashes: (N, 16) uint8.
        places: (N,) uint8.
    """

    hashes: np.ndarray
    places: np.ndarray
    _at: int = field(default=0, init=False)

    @classmethod
    def room_for(cls, number: int) -> Forms:
        """Returns room for so many images."""
        return cls(np.zeros((number, _HASH_BYTES), np.uint8), np.zeros(number, np.uint8))

    def add(self, images: np.ndarray) -> None:
        """Notes the next images, (N, H, W, C) float32."""
        for image in images:
            digest, place = chosen_form(image)
            self.hashes[self._at] = np.frombuffer(digest, np.uint8)
            self.places[self._at] = place
            self._at += 1


def chosen_form(image: np.ndarray) -> tuple[bytes, int]:
    """Returns the hash of the form that all rotated copies of an image share, and its number.

    The form is the one whose bytes come first in order. Of several equal ones the number is the
    first, so that two images are the same, pixel by pixel, if hash and number are.

    Args:
        image: (H, W, C) float32. One that is not square has four forms: its copies in the data
            have its shape.

    >>> image = np.arange(4, dtype=np.float32).reshape(2, 2, 1)
    >>> chosen_form(image)[0] == chosen_form(np.rot90(image))[0]
    True
    >>> chosen_form(image)[0] == chosen_form(image + 1)[0]
    False
    """
    image = np.asarray(image, np.float32) + np.float32(0)  # -0 becomes 0, which is equal to it
    forms = _forms(image)
    first_rows = {place: np.ascontiguousarray(form[0]).tobytes() for place, form in forms.items()}
    lowest = min(first_rows.values())
    left = {place: forms[place].tobytes() for place, row in first_rows.items() if row == lowest}
    place = min(left, key=lambda place: (left[place], place))
    return hashlib.blake2b(left[place], digest_size=_HASH_BYTES).digest(), place


def find_duplicates(
    forms: Forms,
    ids: Sequence[str] | np.ndarray,
    splits: Sequence[str] | np.ndarray,
    labels: Sequence[str] | np.ndarray,
    *,
    listed: int = 20,
) -> list[Duplicates]:
    """Returns the images that are in the data more than once.

    Args:
        forms: of N images.
        ids: their ids.
        splits: their splits.
        labels: their classes or targets.
        listed: how many members of one set of duplicates are named.

    Returns:
        Those across splits first, then those with contradicting labels, then the largest.
    """
    whole = np.ascontiguousarray(forms.hashes).view(f"V{_HASH_BYTES}").ravel()
    _, first, of_image, counts = np.unique(
        whole, return_index=True, return_inverse=True, return_counts=True
    )
    repeated = np.flatnonzero(counts[of_image] > 1)
    sets: dict[int, list[int]] = {}
    for image in repeated.tolist():
        sets.setdefault(int(of_image[image]), []).append(image)
    found = []
    for images in sets.values():
        places = forms.places[images]
        found.append(
            Duplicates(
                members=tuple(
                    Member(
                        str(ids[image]),
                        str(splits[image]),
                        str(labels[image]),
                        _change(int(places[0]), int(place)),
                    )
                    for image, place in zip(images[:listed], places, strict=False)
                ),
                across_splits=len({str(splits[image]) for image in images}) > 1,
                contradict=len({str(labels[image]) for image in images}) > 1,
                count=len(images),
                exact=bool((places == places[0]).all()),
            )
        )
    return sorted(found, key=lambda d: (not d.across_splits, not d.contradict, -d.count))


def _forms(image: np.ndarray) -> dict[int, np.ndarray]:
    """Returns the forms of an image that have its shape, as views, by number."""
    square = image.shape[0] == image.shape[1]
    return {
        place: np.rot90(image[:, ::-1] if reflected else image, quarters)
        for place, (reflected, quarters) in enumerate(_FORMS)
        if square or quarters % 2 == 0
    }


def _change(first: int, other: int) -> str:
    """Returns what makes the second of two images of the first.

    Args:
        first: which form of the first image is the chosen one.
        other: which form of the second is: the same one.
    """
    corners = np.arange(4).reshape(2, 2)  # no form leaves four different pixels as they are
    wanted = _forms(corners)[first]
    for place, changed in _forms(corners).items():
        if np.array_equal(_forms(changed)[other], wanted):
            return _NAMES[_FORMS[place]]
    raise AssertionError("the forms are a group")
