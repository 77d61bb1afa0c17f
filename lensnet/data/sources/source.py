"""Where examples come from: the user's files, a simulator, or whatever a data set brings.

A source lists its examples without reading any, and then loads those it is asked for, in order.
The TFDS builders differ in their source alone. A source is a plain value that can be pickled: it
travels to the workers that prepare a part each.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.splits import SplitPlan

__all__ = ["FILLED", "ORIENTATION", "ORIENTATION_IGNORED", "Loaded", "Shape", "Source"]

Shape = tuple[int, int, int]

FILLED = "filled_pixels"
"""Name in an example's metadata of how many pixels were gaps and have been filled."""

ORIENTATION = "exif_orientation"
"""Name in an example's metadata of how its file says to turn it, which nobody does."""

ORIENTATION_IGNORED = (
    "The orientation tag (EXIF) of %d images was ignored: their rows and columns are those of the "
    "file."
)
"""What is said of such images."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An example with its pixels, or with the reason why it has none.

    Args:
        example: as it was listed.
        image: (H, W, C) float32; None for a bad file.
        error: what is wrong with it; None for a good one.
        target: what a regression predicts; None for classification.
        metadata: what else is known of the image, such as the mass beside it in its file.
    """

    example: Example
    image: np.ndarray | None = None
    error: BadFileError | None = None
    target: float | None = None
    metadata: Mapping[str, float] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file that stands for the example in messages."""
        return self.example.files[0] if self.example.files else self.example.id

    def of_shape(self, shape: Shape, whose: str) -> Loaded:
        """Returns the example itself, or a bad one if its image has another shape.

        Args:
            shape: (H, W, C), which it must have.
            whose: who has this shape or wants it, for the reason: "the others have".
        """
        if self.image is None or self.image.shape == shape:
            return self
        reason = f"shape {self.image.shape}, {whose} {shape}"
        return Loaded(self.example, error=BadFileError(self.file, reason))


class Source(Protocol):
    """Where the examples of a data set come from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order; () for regression."""
        ...

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the source itself names; () if it names none."""
        ...

    @property
    def max_bad(self) -> float:
        """Share of the examples that may be bad."""
        ...

    def list(self) -> Listing:
        """Lists the examples without reading any.

        Raises:
            DataError: there are none, or they cannot be listed.
        """
        ...

    def splits_of(self, examples: Sequence[Example], plan: SplitPlan) -> Sequence[str]:
        """Returns the split that each example of the listing is prepared in."""
        ...

    def known_shape(self) -> Shape | None:
        """Returns the shape (H, W, C) of the images, or None where only they tell it."""
        ...

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Loads examples, in order, several at a time."""
        ...

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields what the images depend on besides the options, for the fingerprint."""
        ...
