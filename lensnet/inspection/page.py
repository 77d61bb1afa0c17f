"""Filling the templates of inspection: a page of candidates, and the index of a folder of pages."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from lensnet.exploration.bands import colour_channels
from lensnet.grades.grade import GRADES
from lensnet.inspection.candidates import Candidate, brightness_of, page_key
from lensnet.inspection.image_reader import ImageReader
from lensnet.reporting.page_rendering import render_page
from lensnet.visible_text import visible

__all__ = ["PageEntry", "PageSetting", "page_setting", "render_index", "render_inspection"]

_PACKAGE = "lensnet.inspection"
_SCRIPTS = ("stretching.js", "decoding.js", "keeping.js", "grades.js", "page.js")
_MEANINGS = {"A": "certain lens", "B": "probable lens", "C": "possible lens", "X": "not a lens"}
_KEYS = [
    (["A", "B", "C", "X"], "certain, probable, possible, not a lens; again takes the grade away"),
    (["U"], "undo, also Ctrl+Z"),
    (["\u2190", "\u2192", "\u2191", "\u2193"], "another candidate; also J and K"),
    (["S"], "stretch: asinh, MTF, linear"),
    (["V"], "colour, or one band after the other"),
    (["[", "]"], "darker, brighter"),
    (["-", "+"], "less contrast, more"),
    (["0"], "brightness and contrast as at first"),
    (["M"], "comment; Esc leaves it"),
    (["/"], "search"),
    (["H"], "hide scores and ranks, for grades that do not depend on them"),
    (["?"], "these keys"),
]
_REMARKS = [
    "Grades are kept in this browser as they are given, for this page alone, and are there again "
    "when the page is opened again. Save them as CSV to hand them on; lensnet grades merge takes "
    "the files of several people.",
    "asinh: the 1st percentile is black, the 99.7th (or 20 sigma above the sky, if that is more) "
    "white; it is linear up to three sigma of the sky. MTF: the midtones transfer function, black "
    "at 2.8 sigma below the median, which becomes a quarter of white. In colour, bands are "
    "measured from their own sky in units of their brightness over all images of the page, and "
    "stretched together (Lupton et al. 2004).",
]


@dataclass(frozen=True)
class PageSetting:
    """What all pages of a folder have in common.

    Args:
        name: of the table of scores.
        score: the column by which candidates were chosen.
        choice: which were chosen, in words.
        total: how many, on all pages.
        bands: what the bands are called; () where no image could be read.
        colour: those shown as red, green and blue; None where there are fewer than three.
        brightness: what each band is measured in for colours.
    """

    name: str
    score: str
    choice: str
    total: int
    bands: tuple[str, ...]
    colour: tuple[int, int, int] | None
    brightness: tuple[float, ...]


@dataclass(frozen=True)
class PageEntry:
    """What an index tells of a page.

    Args:
        file: its name.
        first: its first candidate.
        last: its last.
    """

    file: str
    first: Candidate
    last: Candidate


def page_setting(
    name: str,
    score: str,
    choice: str,
    total: int,
    candidates: Sequence[Candidate],
    reader: ImageReader,
) -> PageSetting:
    """Returns the setting of pages, found from the candidates of the first.

    Args:
        name: of the table of scores.
        score: the column by which candidates were chosen.
        choice: which were chosen, in words.
        total: how many, on all pages.
        candidates: of the first page, with their images.
        reader: which knows the names of bands.
    """
    channels = max((len(c.image.scales) for c in candidates if c.image is not None), default=0)
    bands = reader.names_of_bands([c.file for c in candidates], channels) if channels else ()
    return PageSetting(
        name=name,
        score=score,
        choice=choice,
        total=total,
        bands=bands,
        colour=colour_channels(bands),
        brightness=tuple(brightness_of(candidates, channels)),
    )


def render_inspection(setting: PageSetting, title: str, candidates: Sequence[Candidate]) -> str:
    """Returns a page as HTML, which loads nothing and runs its own script alone.

    Args:
        setting: what it has in common with others.
        title: its heading.
        candidates: with their images.
    """
    content = {
        "id": page_key(candidates),
        "name": title,
        "score": visible(setting.score),
        "total": setting.total,
        "bands": [visible(name) for name in setting.bands],
        "colour": setting.colour,
        "brightness": [float(f"{value:.9g}") for value in setting.brightness],
        "candidates": [candidate.content for candidate in candidates],
    }
    script = _script()
    return render_page(
        "inspection.html",
        _PACKAGE,
        title=title,
        chips=[
            ("candidates", f"{len(candidates)} of {setting.total}"),
            ("chosen", setting.choice),
            ("score", setting.score),
            ("bands", ", ".join(setting.bands) or "no image could be read"),
        ],
        content=_json_in_html(content),
        script=script,
        script_hash=_hash(script),
        grades=GRADES,
        meanings=list(_MEANINGS.items()),
        keys=_KEYS,
        remarks=_REMARKS,
    )


def render_index(setting: PageSetting, pages: Sequence[PageEntry]) -> str:
    """Returns the page that leads to all others of a folder.

    Args:
        setting: what they have in common.
        pages: in their order.
    """
    shown = [
        {
            "name": page.file,
            "title": f"{page.first.place} to {page.last.place}",
            "count": page.last.place - page.first.place + 1,
            "scores": f"{page.first.score:.4g} to {page.last.score:.4g}",
        }
        for page in pages
    ]
    return render_page(
        "index.html",
        _PACKAGE,
        title=f"{setting.name}: candidates",
        chips=[("candidates", str(setting.total)), ("chosen", setting.choice)],
        pages=shown,
        score=setting.score,
    )


@functools.cache
def _script() -> str:
    folder = resources.files(_PACKAGE)
    parts = [(folder / name).read_text("utf-8") for name in _SCRIPTS]
    return "\n".join(['"use strict";', *parts])


def _hash(script: str) -> str:
    """Returns by what the page's policy knows its script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _json_in_html(content: object) -> str:
    """Returns JSON that can stand inside a script element, whatever its texts are.

    >>> _json_in_html(["</script><!--"])
    '["\\\\u003c/script\\\\u003e\\\\u003c!--"]'
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
