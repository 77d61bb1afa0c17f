"""What TensorFlow's kernels of oneDNN do to the speed of lensnet's networks on this processor.

python benchmarks/onednn.py [--isa AVX2] [--only training/resnet18] [--rounds 5] [--output FILE]

Two processes measure the same cell in turns, one with oneDNN and one without. A row is the median
over the rounds of the time with oneDNN over the time without, and the quartiles of that. --isa
keeps oneDNN, and the matrix products that TensorFlow has it compute either way, to a processor's
older instructions: AVX2 shows roughly what a processor without AVX-512 does.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
from command_line import benchmark_parser, selected
from processes import ProcessFailed, Server, script
from reporting import Results, Table, environment
from timing import take_turns

SIDES = {"without": "0", "with": "1"}

NETWORKS = (
    "resnet18 resnext50_32x4d efficientnet_b0 mobilenetv3_small_100 densenet121 convnext_atto "
    "inception_v3 lens_cnn"
).split()
SYMMETRIES = ("none", "c4", "d4")
CELLS = [
    f"{what}/{name}/{symmetry}"
    for what in ("training", "inference", "one")
    for name in NETWORKS
    for symmetry in SYMMETRIES
]


def seconds(server: Server, cell: str) -> float:
    """Has a process measure a cell once."""
    return float(server.ask(suite="zoo", cell=cell)["seconds"])


def main() -> None:
    parser = benchmark_parser(__doc__, "onednn.json", 5)
    parser.add_argument("--isa", help="the newest instructions that oneDNN may use, such as AVX2")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    limits = {"ONEDNN_MAX_CPU_ISA": arguments.isa} if arguments.isa else {}
    command = [sys.executable, script("compare_worker.py")]
    servers = {
        side: Server(side, command, {**limits, "TF_ENABLE_ONEDNN_OPTS": value})
        for side, value in SIDES.items()
    }
    packages = ("lensnet", "tensorflow", "keras", "numpy")
    settings = {"isa": arguments.isa}
    results = Results(Path(arguments.output), {"environment": environment(packages), **settings})
    table = Table({"cell": 40, "ms without": 11, "with": 9, "ratio": 7, "quartiles": 12})
    try:
        for cell in cells:
            times = take_turns(
                {side: partial(seconds, server, cell) for side, server in servers.items()},
                arguments.rounds,
            )
            if set(times) != set(SIDES):
                continue
            ratios = np.array(times["with"]) / np.array(times["without"])
            row = {
                "cell": cell,
                **{f"{side}_ms": round(1e3 * float(np.median(times[side])), 3) for side in SIDES},
                "with_over_without": round(float(np.median(ratios)), 3),
                "quartiles": [round(float(one), 3) for one in np.quantile(ratios, (0.25, 0.75))],
            }
            results.add("rows", row)
            table.add(
                cell,
                row["without_ms"],
                row["with_ms"],
                row["with_over_without"],
                " ".join(map(str, row["quartiles"])),
            )
    except ProcessFailed as error:
        raise SystemExit(str(error)) from None
    finally:
        for server in servers.values():
            server.close()
    results.close()


if __name__ == "__main__":
    main()
