"""The options by which a user says how inputs are to be understood."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lensnet.prediction.planning import InputOptions

__all__ = ["input_options", "options_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--list",
        "lists",
        multiple=True,
        metavar="FILE.txt",
        help="A text file with an input a line. Repeatable.",
    ),
    click.option(
        "--id-column", metavar="NAME", help="A catalogue's column of names; found by itself."
    ),
    click.option("--ra-column", metavar="NAME", help="Its right ascension; found by itself."),
    click.option("--dec-column", metavar="NAME", help="Its declination; found by itself."),
    click.option(
        "--file-column",
        "file_columns",
        multiple=True,
        metavar="NAME",
        help="Its image files, once for each band in the order of the channels.",
    ),
    click.option(
        "--mosaics",
        multiple=True,
        metavar="PATTERN",
        help="FITS mosaics to cut a catalogue's positions out of, in quotes, once for each band in "
        'the order of the channels, or with {band}: "tiles/*_{band}.fits[SCI]".',
    ),
    click.option(
        "--bands", metavar="B,B,...", help="What {band} stands for; by default RUN's bands."
    ),
    click.option(
        "--size",
        metavar="SIZE",
        help="How large to cut out: 64 (pixels) or 16arcsec; by default as in the training.",
    ),
)


def input_options(command: _Command) -> _Command:
    """Adds the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def options_of(bands: str | None, size: str | None, **options: Any) -> InputOptions:
    """Returns what the options say.

    Raises:
        ConfigurationError: the size is none.
    """
    from lensnet.prediction.planning import InputOptions
    from lensnet.prediction.planning.input_options import parse_size

    return InputOptions(
        bands=tuple(band.strip() for band in bands.split(",")) if bands else (),
        size=None if size is None else parse_size(size),
        **options,
    )
