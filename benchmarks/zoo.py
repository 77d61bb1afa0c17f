"""Speed of the zoo's networks beside timm in PyTorch and keras.applications.

python benchmarks/zoo.py --baselines DIRECTORY/bin/python [--rounds 5] [--only resnet50]
                         [--output benchmarks/results/zoo.json]

Images a second at 128 px: training steps (forward, backward, AdamW) of 32 images, inference of 64,
folded. The contenders of a row take turns in one run on the same cores; figures are medians over
the rounds, and ratios the medians of the rounds' ratios. Then symmetric networks over plain ones of
as many channels, and the seconds that it takes to make the largest. DIRECTORY is made by
benchmarks/make_baselines.sh; without it timm is left out.
"""

from __future__ import annotations

import statistics
from typing import Any

from command_line import benchmark_parser, selected
from processes import Server, script
from reporting import Results, Table, environment
from timing import Times, ratio, take_turns
from zoo_cells import BATCH, CALLS, CELLS, NETWORKS, SIZE, forget, our_timer, their_timer, timer_of

CONTENDERS = ("lensnet", "keras.applications", "timm")


def contest(what: str, name: str, timm: Server | None, rounds: int) -> Times:
    """Times one network of ours, keras.applications' and timm's in turns."""
    contenders = {"lensnet": our_timer(what, name)}
    if NETWORKS[name]:
        contenders["keras.applications"] = their_timer(what, name)
    if timm is not None:
        request = {"what": what, "name": name, "size": SIZE, "batch": BATCH[what], "calls": CALLS}
        contenders["timm"] = lambda: timm.ask(**request)["seconds"]
    return take_turns(contenders, rounds)


def plain_row(what: str, name: str, times: Times) -> dict[str, Any]:
    """Speeds, and ours over each other's."""
    return {
        "what": what,
        "name": name,
        "images_per_second": {
            who: round(BATCH[what] / statistics.median(values), 1) for who, values in times.items()
        },
        "speed_over": {
            who: round(ratio(times, who, "lensnet"), 3) for who in times if who != "lensnet"
        },
    }


def symmetric_row(what: str, name: str, symmetry: str, rounds: int) -> dict[str, Any]:
    """Times a symmetric network against the plain one of as many channels."""
    contenders = {who: our_timer(what, name, who) for who in (symmetry, "none")}
    times = take_turns(contenders, rounds)
    return {
        "what": what,
        "name": name,
        "symmetry": symmetry,
        "time_over_plain": round(ratio(times, symmetry, "none"), 3),
    }


def main() -> None:
    parser = benchmark_parser(__doc__, "zoo.json", 5, "PyTorch and timm")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    places = {str(arguments.baselines): "DIRECTORY/bin/python"}
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "tensorflow", "keras"), places),
            "baselines": "timm 1.0.31, PyTorch 2.13.0" if arguments.baselines else None,
            "rounds": arguments.rounds,
            "size": SIZE,
            "batch": BATCH,
        },
    )
    command = [arguments.baselines, script("baseline_zoo.py")]
    timm = Server("timm", command) if arguments.baselines else None

    created = Table({"network": 22, "seconds to create": 17})
    plain = Table(
        {"what": 9, "network": 22, **dict.fromkeys(CONTENDERS, 9), "over keras": 10, "over timm": 9}
    )
    symmetric = Table({"what": 9, "network": 22, "symmetry": 8, "time over plain": 15})
    for cell in cells:
        forget()
        what, name, symmetry = [*cell.split("/"), ""][:3]
        if what == "create":
            once = timer_of(cell)
            seconds = round(statistics.median(once() for _ in range(3)), 2)
            results.add("seconds_to_create", {"name": name, "seconds": seconds})
            created.add(name, seconds)
        elif symmetry == "none":
            row = plain_row(what, name, contest(what, name, timm, arguments.rounds))
            results.add("results", row)
            speeds, over = row["images_per_second"], row["speed_over"]
            plain.add(what, name, *map(speeds.get, CONTENDERS), *map(over.get, CONTENDERS[1:]))
        else:
            row = symmetric_row(what, name, symmetry, arguments.rounds)
            results.add("symmetric_over_plain", row)
            symmetric.add(*row.values())
    if timm is not None:
        timm.close()
    results.close()


if __name__ == "__main__":
    main()
