"""Arguments and options that several commands take, each written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "FILE",
    "PATH",
    "batch_size_option",
    "experiment_argument",
    "inputs_argument",
    "run_argument",
    "runs_argument",
    "set_option",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)

run_argument = click.argument("run", type=PATH)
runs_argument = click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=PATH)
experiment_argument = click.argument("experiment", type=PATH)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1), default=64, show_default=True
)


def inputs_argument(*, required: bool) -> Callable[[_Command], _Command]:
    """INPUTS, files, folders and tables.

    Args:
        required: whether there must be one.
    """
    return click.argument("inputs", nargs=-1, required=required, type=PATH)


def set_option(what: str) -> Callable[[_Command], _Command]:
    """`--set KEY=VALUE`, as often as needed: `overrides`, a tuple.

    Args:
        what: the help, a sentence.
    """
    return click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help=f"{what} Repeatable."
    )
