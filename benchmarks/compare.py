"""Speed of two revisions of lensnet, cell by cell, in paired rounds.

python benchmarks/compare.py --before PYTHON [--after PYTHON] [--suite zoo layers data]
                             [--only training/resnet50] [--rounds 7] [--output FILE]

Each Python has a revision of lensnet installed; default after: the one that runs this. Both measure
the same cell, each in a process of its own, and take turns round by round, so that a machine that
slows down slows both. A row is the median over the rounds of the time after over the time before,
and the quartiles of that; `slower` marks a median above --limit, and then the exit status is 1. The
processes use the benchmarks beside this file, for both revisions, and lensnet's public names.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from command_line import benchmark_parser, selected
from processes import ProcessFailed, Server, script
from reporting import Results, Table, environment
from timing import Times, take_turns

SIDES = ("before", "after")
SUITES = ("zoo", "layers", "data")


def contest(
    servers: dict[str, Server], suite: str, cell: str, directory: Path, rounds: int
) -> Times:
    """Lets both revisions measure a cell in turns."""

    def once(side: str) -> Callable[[], float]:
        request = {
            "suite": suite,
            "cell": cell,
            "folder": str(directory / "files"),
            "data_dir": str(directory / f"prepared-{side}"),
        }
        return lambda: servers[side].ask(**request)["seconds"]

    return take_turns({side: once(side) for side in SIDES}, rounds)


def row_of(suite: str, cell: str, times: Times, limit: float) -> dict[str, Any]:
    """What is kept of a cell; without ratios, if a side failed."""
    row: dict[str, Any] = {"suite": suite, "cell": cell}
    for side, values in times.items():
        row[f"{side}_ms"] = float(f"{1e3 * float(np.median(values)):.4g}")
    if set(times) == set(SIDES):
        ratios = np.array(times["after"]) / np.array(times["before"])
        row["after_over_before"] = round(float(np.median(ratios)), 4)
        row["quartiles"] = [round(float(one), 4) for one in np.quantile(ratios, (0.25, 0.75))]
        row["slower"] = row["after_over_before"] > limit
    return row


def main() -> None:
    parser = benchmark_parser(__doc__, "compare.json", 7)
    parser.add_argument("--before", required=True, help="the Python of the revision before")
    parser.add_argument("--after", default=sys.executable, help="default: this one")
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--limit", type=float, default=1.03, help="slower than this (default 1.03)")
    parser.add_argument("--files", type=int, default=4000, help="of the data (default 4000)")
    parser.add_argument("--directory", help="where the data's files go (default the system's)")
    parser.set_defaults(output=Path("compare.json"))
    arguments = parser.parse_args()
    worker = script("compare_worker.py")
    servers = {side: Server(side, [getattr(arguments, side), worker]) for side in SIDES}
    try:
        packages = {side: servers[side].ask()["packages"] for side in SIDES}
        every = [
            f"{suite}/{cell}"
            for suite in arguments.suite
            for cell in servers["after"].ask(suite=suite)["cells"]
        ]
    except ProcessFailed as error:
        raise SystemExit(f"Nothing can be compared: {error}") from None
    cells = selected(every, arguments)
    places = {
        arguments.before: "BEFORE",
        arguments.after: "AFTER",
        str(arguments.directory): "DIRECTORY",
    }
    results = Results(
        arguments.output,
        {
            "environment": environment(("numpy",), places),
            "packages": packages,
            "rounds": arguments.rounds,
            "limit": arguments.limit,
        },
    )
    table = Table({"cell": 44, "ms before": 9, "after": 9, "ratio": 7, "quartiles": 14, "": 6})
    failed = False
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        if any(cell.startswith("data/") for cell in cells):
            from data_cells import write_files

            write_files(Path(name) / "files", arguments.files)
        for cell in cells:
            suite, one = cell.split("/", 1)
            times = contest(servers, suite, one, Path(name), arguments.rounds)
            row = row_of(suite, one, times, arguments.limit)
            results.add("rows", row)
            quartiles = " ".join(f"{value:.3f}" for value in row.get("quartiles", []))
            mark = {True: "slower", False: "", None: "failed"}[row.get("slower")]
            failed |= bool(mark)
            table.add(
                cell,
                row.get("before_ms"),
                row.get("after_ms"),
                row.get("after_over_before"),
                quartiles,
                mark,
            )
    for server in servers.values():
        server.close()
    results.close()
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
