"""Candidates as a page holds them: what the table says of each, and its image or why not."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from lensnet.csv_tables import name_as_text
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.inspection.cutouts import Cutout, central, encode
from lensnet.inspection.links import sky_links
from lensnet.inspection.score_columns import ScoreColumns
from lensnet.visible_text import visible

__all__ = ["Candidate", "brightness_of", "candidates_of", "page_key", "with_images"]

_SHOWN_ELSEWHERE = ("id", "ra", "dec", "status", "row")
# Columns of a wide catalogue beyond these make a page no clearer.
_MOST_FACTS = 60
_LONGEST = 400


@dataclass(frozen=True)
class Candidate:
    """One candidate.

    Args:
        id: as the table has it.
        place: among all that were chosen, from 1.
        score: of the column that was chosen by.
        file: what the column `file` says; "" for none.
        ra: degrees; None where it is not known.
        dec: degrees.
        facts: what else the table says, as (column with unit, text, "score" for a score or "").
        row: the table's cells, by column.
        image: what is shown; None where it cannot be read.
        reason: why it cannot.
    """

    id: str
    place: int
    score: float
    file: str
    ra: float | None
    dec: float | None
    facts: tuple[tuple[str, str, str], ...]
    row: Mapping[str, Any]
    image: Cutout | None = None
    reason: str = ""

    @property
    def content(self) -> dict[str, Any]:
        """What the page holds, its texts with nothing that moves or hides text."""
        return {
            "id": self.id,
            "place": self.place,
            "name": visible(self.id),
            "score": self.score,
            "score_text": f"{self.score:.4g}",
            "links": sky_links(self.ra, self.dec),
            "facts": self.facts,
            "image": None if self.image is None else self.image.content,
            "reason": visible(self.reason),
        }


def candidates_of(rows: pa.Table, columns: ScoreColumns, first: int) -> list[Candidate]:
    """Returns the candidates that rows of a table are, without images.

    Args:
        rows: of the table of scores.
        columns: what they say.
        first: the place of the first.
    """
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in rows.schema}
    return [
        _candidate(row, columns, units, place)
        for place, row in enumerate(rows.to_pylist(), start=first)
    ]


def _candidate(
    row: Mapping[str, Any], columns: ScoreColumns, units: Mapping[str, str], place: int
) -> Candidate:
    ra, dec = _degrees(row.get("ra")), _degrees(row.get("dec"))
    facts = [("position", f"{ra:.6f} {dec:+.6f}", "")] if ra is not None and dec is not None else []
    # Names of files are long, and the last thing that is asked for.
    for name, value in sorted(row.items(), key=lambda known: known[0] == "file"):
        if name in (*_SHOWN_ELSEWHERE, columns.score) or value is None or value == "":
            continue
        is_score = name in (*columns.classes, columns.uncertainty, "predicted", "prediction")
        title = f"{name} [{units[name]}]" if units[name] else name
        facts.append((visible(title), visible(_text(value)), "score" if is_score else ""))
    return Candidate(
        id=str(row.get("id", place)),
        place=place,
        score=float(row[columns.score]),
        file=str(row.get("file") or ""),
        ra=ra,
        dec=dec,
        facts=tuple(facts[:_MOST_FACTS]),
        row=row,
    )


def with_images(
    candidates: Sequence[Candidate],
    read: Callable[[Candidate], np.ndarray],
    pixels: int | None = None,
) -> Iterable[Candidate]:
    """Yields candidates with their images, or with the reason why one has none.

    Args:
        candidates: in any order, which is kept.
        read: gives an image (H, W, C), or raises a BadFileError.
        pixels: of a side of the centre that is shown; None for all.
    """

    def load(candidate: Candidate) -> Candidate:
        try:
            image = encode(central(read(candidate), pixels))
        except BadFileError as error:
            return replace(candidate, reason=_reason(error))
        return replace(candidate, image=image)

    return read_ahead(load, candidates, ahead=64)


def brightness_of(candidates: Iterable[Candidate], channels: int) -> list[float]:
    """Returns what bands are measured in for colours: the median over images of the highest pixel.

    Highest above the median, (channels,), never 0; see `lensnet.exploration.stretching`.
    """
    found: list[list[float]] = [[] for _ in range(channels)]
    for candidate in candidates:
        cutout = candidate.image
        if cutout is None or len(cutout.scales) != channels:
            continue
        for band, (pixels, scale) in enumerate(zip(cutout.pixels, cutout.scales, strict=True)):
            found[band].append(float(scale.values(pixels.max()) - scale.sky))
    medians = [float(np.median(values)) if values else 1.0 for values in found]
    return [value if value > 0 else 1.0 for value in medians]


def page_key(candidates: Sequence[Candidate]) -> str:
    """Returns what grades of a page are kept under: that of the same candidates in this order."""
    known = [[c.id, c.file, c.ra, c.dec] for c in candidates]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _reason(error: BadFileError) -> str:
    return f"{name_as_text(error.path)}: {error.reason}" if error.path else error.reason


def _degrees(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026"
