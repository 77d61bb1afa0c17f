"""Speed and memory on a GPU: lensnet under JAX beside timm and escnn in PyTorch on the same card.

python benchmarks/gpu.py [--minutes 8] [--rounds 5] [--only networks/resnet50 layers]
                         [--images model_i.npz] [--resume] [--output benchmarks/results/gpu.json]

Three parts, each with a share of the minutes. `layers`: a symmetric convolution, the plain one,
escnn's and PyTorch's. `networks`: training steps (forward, backward, AdamW) and folded inference of
a network, plain and symmetric, under JAX; the same under PyTorch; timm's as it is and compiled.
`model_i`: networks of some symmetries trained on simulated images of DeepLense Model I. The
contenders of a cell are processes that compile side by side, then take turns; a row is the medians
of the rounds and is written as soon as it is there. Memory per image is what a training step takes
beyond variables and arguments.

Needs no TensorFlow. benchmarks/prepare_gpu.sh collects, for a machine without internet, the wheels
that a Python with JAX and PyTorch lacks, and the images of Model I. What the time does not suffice
for is named in the results; --resume measures only what the output file does not have yet. --smoke
tries everything with tiny sizes, on a CPU.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import benchmark_parser, selected
from gpu_cells import Settings, cells_of, full, smoke
from processes import ProcessFailed, Server, script
from reporting import Results, Table, environment
from timing import Times, ratio, take_turns

TARGETS = {"plain_over_timm_compiled": 1.0, "over_escnn": 1.5, "time_over_plain": 1.1}
"""Speed over timm's compiled network and over escnn's layer, at least; time over plain, at most."""

SHARES = {"layers": 0.15, "networks": 0.65, "model_i": 0.2}
"""Of the time, among the parts that are measured. What a part leaves, the next ones have."""

SECONDS_A_ROUND = 0.3


class Contest:
    """The contenders of a cell, each made in its own process.

    Args:
        servers: by contender.
        requests: what each is to make.
        end: when it must be over, on the monotonic clock.
    """

    def __init__(self, servers: dict[str, Server], requests: dict[str, dict], end: float):
        self.servers = servers
        self.requests = requests
        self.end = end
        self.known: dict[str, dict[str, Any]] = {}

    def make(self) -> None:
        """Lets all compile side by side; those that fail are told of and left out."""
        asked = []
        for name, request in self.requests.items():
            if _told(name, lambda name=name, request=request: self._send(name, request)):
                asked.append(name)
        for name in asked:
            found = _told(name, lambda name=name: self.servers[name].receive(self._left()))
            if found is not None:
                self.known[name] = found

    def times(self, rounds: int) -> Times:
        """Lets those that were made take turns."""

        def once(name: str) -> Callable[[], float]:
            request = {"do": "time", "seconds": SECONDS_A_ROUND}
            return lambda: self.servers[name].ask(self._left(), **request)["seconds"]

        return take_turns({name: once(name) for name in self.known}, rounds)

    def forget(self) -> None:
        """Frees what was made."""
        for name in self.known:
            _told(name, lambda name=name: self.servers[name].ask(30.0, do="forget"))

    def _send(self, name: str, request: dict[str, Any]) -> bool:
        self.servers[name].send(do="make", **request)
        return True

    def _left(self) -> float:
        return max(1.0, self.end - time.monotonic())


def _told(name: str, call: Callable[[], Any]) -> Any:
    """What a call gives, or None where a process failed, which is told."""
    try:
        return call()
    except ProcessFailed as error:
        print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
        return None


def speeds_row(cell: str, contest: Contest, times: Times) -> dict[str, Any]:
    """What is kept of a cell of networks or layers."""
    batch = next(iter(contest.requests.values()))["batch"]
    row: dict[str, Any] = {
        "cell": cell,
        "images_per_second": {
            name: float(f"{batch / statistics.median(values):.5g}")
            for name, values in times.items()
        },
        "time_over_plain": {
            name: round(ratio(times, name, "plain"), 3)
            for name in times
            if name in ("c4", "d4", "symmetric") and "plain" in times
        },
    }
    for other, key in (
        ("timm", "plain_over_timm"),
        ("timm compiled", "plain_over_timm_compiled"),
    ):
        if {"plain", other} <= set(times):
            row[key] = round(ratio(times, other, "plain"), 3)
    if {"symmetric", "escnn"} <= set(times):
        row["over_escnn"] = round(ratio(times, "escnn", "symmetric"), 3)
    for key in ("mib_an_image", "seconds_to_make", "parameters"):
        found = {name: one[key] for name, one in contest.known.items() if key in one}
        if found:
            row[key] = found
    return row


def print_row(row: dict[str, Any]) -> None:
    """A cell's figures, the targets beside those that have one."""
    print(f"\n{row['cell']}")
    table = Table({"": 16, "images a second": 15, "MiB an image": 12, "s to make": 9})
    for name, speed in row["images_per_second"].items():
        facts = (row.get(key, {}).get(name) for key in ("mib_an_image", "seconds_to_make"))
        table.add(name, speed, *facts)
    for name, value in row["time_over_plain"].items():
        print(f"time of {name} over plain: {value} (target: at most {TARGETS['time_over_plain']})")
    for key, words in (
        ("plain_over_timm", "speed over timm"),
        ("plain_over_timm_compiled", "speed over timm compiled"),
        ("over_escnn", "speed over escnn"),
    ):
        if key in row:
            target = f" (target: at least {TARGETS[key]})" if key in TARGETS else ""
            print(f"{words}: {row[key]}{target}")
    sys.stdout.flush()


def measure_part(
    cells: dict[str, dict[str, dict[str, Any]]],
    servers: dict[str, Server],
    ends: tuple[float, float],
    rounds: int,
    results: Results,
) -> list[str]:
    """Measures the cells of a part in turn, until its time is over.

    Args:
        cells: the requests of each contender, by cell.
        servers: by contender.
        ends: until when a cell may begin that needs as long as the longest so far, and when all
            must be over.
        rounds: of a cell.
        results: get the rows.

    Returns:
        the cells that it did not get to.
    """
    longest, waiting = 0.0, list(cells)
    while waiting:
        begun = time.monotonic()
        # Every part gets one cell at least, where there is time at all.
        if begun + longest > (ends[0] if longest else ends[1]):
            break
        cell = waiting.pop(0)
        # A contender that hangs must not take the time of all other cells.
        most = max(60.0, (ends[1] - begun) / 2)
        contest = Contest(servers, cells[cell], min(ends[1], begun + most))
        contest.make()
        if cell.startswith("model_i"):
            row = {"cell": cell, **contest.known.get("plain", {})}
            print(f"\n{row}", flush=True)
        else:
            row = speeds_row(cell, contest, contest.times(rounds))
            print_row(row)
        contest.forget()
        if contest.known:
            results.add("rows", row)
        longest = max(longest, time.monotonic() - begun)
    return waiting


def measured_before(path: Path, resume: bool) -> list[dict[str, Any]]:
    """The rows of the output file, if they are to be kept."""
    if not resume or not path.exists():
        return []
    return json.loads(path.read_text(encoding="utf-8")).get("rows", [])


def make_servers() -> dict[str, Server]:
    """A process a contender, so that all can compile at once; none begins before it is asked."""
    jax, torch = ([sys.executable, "-W", "ignore", script(f"gpu_{name}.py")] for name in LIBRARIES)
    names = {
        **dict.fromkeys(("plain", "c4", "d4"), jax),
        **dict.fromkeys(("plain in PyTorch", "c4 in PyTorch", "timm", "timm compiled"), torch),
    }
    servers = {
        name: Server(name, command, {"KERAS_BACKEND": "jax" if command is jax else "torch"})
        for name, command in names.items()
    }
    # The layers' contenders are never measured with the networks'.
    return servers | {
        "symmetric": servers["c4"],
        "escnn": servers["timm"],
        "torch": servers["timm compiled"],
    }


LIBRARIES = ("jax", "torch")


def main() -> None:
    start = time.monotonic()
    parser = benchmark_parser(__doc__, "gpu.json", 5)
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything (default 8)")
    parser.add_argument("--images", type=Path, help="of prepare_gpu.sh; without: no model_i")
    parser.add_argument("--resume", action="store_true", help="keep the rows of the output file")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to try everything")
    arguments = parser.parse_args()
    settings: Settings = smoke() if arguments.smoke else full()
    parts = cells_of(settings, arguments.images)
    every = [cell for cells in parts.values() for cell in cells]
    wanted = selected(every, arguments)
    before = measured_before(arguments.output, arguments.resume)
    done = {row["cell"] for row in before}
    servers = make_servers()
    places = {str(arguments.images): "model_i.npz"}
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "keras", "jax", "torch", "timm"), places),
            "targets": TARGETS,
            "minutes": arguments.minutes,
            "rounds": arguments.rounds,
            "rows": before,
        },
    )
    for name, library in zip(("plain", "timm"), LIBRARIES, strict=True):
        found = _told(library, lambda name=name: servers[name].ask(120.0, do="describe"))
        results.content[library] = found
        print(
            f"{library}: {found and {**found['packages'], 'device': found['device']}}", flush=True
        )
    results.write()

    # A little is kept back for ending the processes.
    seconds = 60 * arguments.minutes - 10
    chosen = {
        part: {cell: cells[cell] for cell in cells if cell in wanted and cell not in done}
        for part, cells in parts.items()
    }
    total = sum(SHARES[part] for part, cells in chosen.items() if cells)
    share, left_out = 0.0, []
    for part, cells in chosen.items():
        if cells:
            share += SHARES[part] / total
            ends = start + share * seconds, start + seconds
            left_out += measure_part(cells, servers, ends, arguments.rounds, results)
    results.content["out_of_time"] = left_out
    for cell in left_out:
        print(f"Out of time for {cell}")
    for server in {id(server): server for server in servers.values()}.values():
        server.close()
    results.content["seconds"] = round(time.monotonic() - start)
    results.close()


if __name__ == "__main__":
    main()
