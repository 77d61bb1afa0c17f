"""One image that is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.sources.source import FILLED, ORIENTATION, Loaded

__all__ = ["Input"]


@dataclass(frozen=True, eq=False)
class Input:
    """One image that is asked about, or the reason why there is none.

    Args:
        id: its name: below a folder that was given, the path from there; else the file's own
            path; without band and ending; or what its table says.
        path: its file; of several bands all, with `;` between them, or the one that is bad. Where
            files of a folder are of no band, the folder; of what is cut out of a mosaic its name.
        image: (H, W, C) float32, raw; None for a bad file.
        error: what is wrong with it; None for a good one.
        filled: how many of its pixels were gaps and have been filled.
        orientation: what its file says of how to turn it, 1 to 8, which nobody does; 1 for not.
    """

    id: str
    path: str
    image: np.ndarray | None = None
    error: BadFileError | None = None
    filled: int = 0
    orientation: int = 1

    @classmethod
    def of(cls, loaded: Loaded) -> Input:
        """Returns what has been loaded as what was asked for."""
        error = loaded.error
        return cls(
            loaded.example.id,
            error.path if error is not None else ";".join(loaded.example.files) or loaded.file,
            loaded.image,
            error,
            int(loaded.metadata.get(FILLED, 0)),
            int(loaded.metadata.get(ORIENTATION, 1)),
        )
