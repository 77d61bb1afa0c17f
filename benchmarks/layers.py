"""Speed of the symmetric layers against plain ones, beside escnn in PyTorch.

python benchmarks/layers.py --baselines DIRECTORY/bin/python [--rounds 15] [--only step/c4]
                            [--output benchmarks/results/layers.json]

A training step is the forward pass and the gradients to input and weights of one layer, as within
a network; inference is the forward pass of the folded layer. All contenders of a case take turns
in one run, on the same cores, and ratios are medians over the rounds. DIRECTORY is made by
benchmarks/make_baselines.sh; without it the comparison with escnn is left out.
"""

from __future__ import annotations

import statistics
from typing import Any

from command_line import benchmark_parser, selected
from layers_cells import CALLS, CASES, inference, timer_of, training_step
from processes import Server, script
from reporting import Results, Table, environment
from timing import ratio, take_turns

CONTENDERS = ("symmetric", "plain", "escnn", "torch")


def contest(what: str, case: dict[str, Any], torch: Server | None, rounds: int) -> dict[str, Any]:
    """Times a symmetric layer and the plain one, in TensorFlow and PyTorch, in turns."""
    plain = {**case, "symmetry": "none"}
    ours = {"step": training_step, "inference": inference}[what]
    contenders = {"symmetric": ours(case), "plain": ours(plain)}

    def baseline(case: dict[str, Any]) -> float:
        assert torch is not None  # noqa: S101
        return torch.ask(what=what, case=case, calls=CALLS)["seconds"]

    if torch is not None:
        if not case["symmetry"].startswith("rot"):
            contenders["escnn"] = lambda: baseline(case)
        contenders["torch"] = lambda: baseline(plain)
    times = take_turns(contenders, rounds)
    row: dict[str, Any] = {
        "what": what,
        "case": case,
        "milliseconds": {
            name: round(1e3 * statistics.median(values), 3) for name, values in times.items()
        },
        "over_plain": round(ratio(times, "symmetric", "plain"), 3),
    }
    if "escnn" in times:
        row["over_escnn"] = round(ratio(times, "symmetric", "escnn"), 3)
    if {"escnn", "torch"} <= set(times):
        row["escnn_over_torch"] = round(ratio(times, "escnn", "torch"), 3)
    return row


def main() -> None:
    parser = benchmark_parser(__doc__, "layers.json", 15, "PyTorch and escnn")
    arguments = parser.parse_args()
    cells = selected(CASES, arguments)
    places = {str(arguments.baselines): "DIRECTORY/bin/python"}
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "tensorflow", "keras", "numpy"), places),
            "baselines": "PyTorch 2.13.0, escnn 1.0.11" if arguments.baselines else None,
            "rounds": arguments.rounds,
        },
    )
    command = [arguments.baselines, script("baseline_layers.py")]
    torch = Server("escnn and PyTorch", command) if arguments.baselines else None

    building = Table({"building": 14, "seconds": 8})
    table = Table(
        {
            "what": 9,
            "layer": 14,
            "ms": 6,
            **dict.fromkeys(CONTENDERS[1:], 6),
            **dict.fromkeys(("over plain", "over escnn", "escnn over torch"), 10),
        }
    )
    for cell in cells:
        what, layer = cell.split("/", 1)
        if what == "build":
            row = {"case": CASES[cell], "seconds": round(timer_of(cell)(), 3)}
            results.add("building", row)
            building.add(layer, row["seconds"])
            continue
        row = contest(what, CASES[cell], torch, arguments.rounds)
        results.add("results", row)
        times = row["milliseconds"]
        ratios = [row.get(name) for name in ("over_plain", "over_escnn", "escnn_over_torch")]
        table.add(what, layer, *map(times.get, CONTENDERS), *ratios)
    if torch is not None:
        torch.close()
    results.close()


if __name__ == "__main__":
    main()
