"""The arguments that the benchmarks share, and what `--only` means in all of them."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["benchmark_parser", "selected"]

RESULTS = Path(__file__).parent / "results"


def benchmark_parser(
    description: str, output: str, rounds: int, baselines: str | None = None
) -> argparse.ArgumentParser:
    """A parser with `--only`, `--list`, `--rounds`, `--output` and, if asked, `--baselines`.

    Args:
        description: of the benchmark; its first line is shown.
        output: the default file in `results/`.
        rounds: the default.
        baselines: what the baselines' environment has; without it there is no such argument.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="CELL",
        help="measure only the cells of these names, which may be shell patterns, or the words "
        "between their slashes: training/resnet50, resnet50, c4 (see --list)",
    )
    parser.add_argument("--list", action="store_true", help="name the cells and measure nothing")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    parser.add_argument("--output", type=Path, default=RESULTS / output)
    if baselines:
        parser.add_argument(
            "--baselines", metavar="PYTHON", help=f"the Python that has {baselines}"
        )
    return parser


def selected(names: Iterable[str], arguments: argparse.Namespace) -> list[str]:
    """The names of cells that `--only` asks for, in their own order.

    Args:
        names: of all cells, words between slashes.
        arguments: of a `benchmark_parser`.

    Raises:
        SystemExit: a pattern means no cell; or with `--list`, once the names are printed.
    """
    found = _asked_for(list(names), arguments.only)
    if arguments.list:
        print("\n".join(found))
        raise SystemExit
    return found


def _asked_for(names: list[str], only: list[str] | None) -> list[str]:
    """The names that some pattern means.

    It means those that it matches in whole, or in some words that follow each other:
    `training/resnet50` means `training/resnet50/none` and `training/resnet50/c4`.
    """
    if only is None:
        return names
    words = {word for name in names for word in [name, *name.split("/")]}
    for pattern in only:
        if not any(_means(pattern, name) for name in names):
            close = difflib.get_close_matches(pattern, sorted(words), n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else ""
            raise SystemExit(f"--only {pattern} names no cell of this benchmark.{hint}")
    return [name for name in names if any(_means(pattern, name) for pattern in only)]


def _means(pattern: str, name: str) -> bool:
    words = name.split("/")
    ends = range(1, len(words) + 1)
    parts = ("/".join(words[start:end]) for end in ends for start in range(end))
    return any(fnmatchcase(part, pattern) for part in parts)
