"""Speed of `lensnet fit` beside the same training in PyTorch, a bare loop, and Keras's AdamW.

python benchmarks/training.py --baselines DIRECTORY/bin/python [--rounds 5] [--epochs 1]
                              [--only adamw] [--output benchmarks/results/training.json]

`fit`: images a second of an epoch of `lensnet fit` after its first: resnet18, 4,096 training and
512 validation images of 64 px in `.npy` files, batches of 64, flips and quarter rotations, AdamW,
float32, with validation, the best model, history and checkpoint. Beside it timm's resnet18, trained
on the same files by a plain script with a `DataLoader` of two workers, with validation and the best
weights; DIRECTORY is made by benchmarks/make_baselines.sh, and without it this is left out.
`overhead`: the same epoch by `train_on_batch` and `test_on_batch` on batches that lie in memory.
`adamw`: the update of a network's weights, and the whole step, by Keras's AdamW and by ours. All
contenders of a cell take turns in one run, on the same two cores; figures are medians over the
rounds, and ratios the medians of the rounds' ratios.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from command_line import benchmark_parser, selected
from data_cells import CORES, use_cores
from processes import Server, script
from reporting import Results, environment, print_table
from timing import Times, ratio, take_turns
from training_cells import (
    BATCH,
    BATCHES,
    NAME,
    SIZE,
    adamw_timers,
    bare_epoch,
    fit_epoch,
    write_files,
)

NETWORKS = {"mobilenetv3_small_100": (128, 32), "resnet18": (64, 64)}
"""Whose updates are timed, at what size and batch."""

CELLS = [f"fit/{NAME}", f"overhead/{NAME}", *(f"adamw/{name}" for name in NETWORKS)]


def measured(cell: str, times: Times, images: int) -> dict[str, Any]:
    """What is written down of a cell.

    Args:
        cell: its name.
        times: seconds by contender.
        images: that these took.
    """
    row: dict[str, Any] = {
        "cell": cell,
        "seconds": {who: round(statistics.median(all), 5) for who, all in times.items()},
        "spread": {who: [round(min(all), 5), round(max(all), 5)] for who, all in times.items()},
    }
    if cell.startswith("fit"):
        row["images_per_second"] = {
            who: round(images / statistics.median(all), 1) for who, all in times.items()
        }
        if "PyTorch" in times:
            row["speed_over_pytorch"] = round(ratio(times, "PyTorch", "lensnet"), 3)
    elif cell.startswith("overhead"):
        row["overhead"] = round(ratio(times, "lensnet", "bare loop") - 1, 4)
    else:
        for what in ("update", "step"):
            row[f"{what}_over_keras"] = round(ratio(times, f"{what}, ours", f"{what}, Keras"), 3)
    return row


def contest(
    cell: str, folder: Path, data_dir: Path, torch: Server | None, rounds: int, epochs: int
) -> Times:
    """Times the contenders of a cell in turns."""
    what, name = cell.split("/")
    if what == "adamw":
        return take_turns(adamw_timers(name, *NETWORKS[name]), rounds)
    contenders = {"lensnet": lambda: fit_epoch(folder, data_dir, epochs)}
    if what == "overhead":
        bare = bare_epoch()
        contenders["bare loop"] = lambda: statistics.mean(bare() for _ in range(epochs))
    elif torch is not None:
        request = {
            "name": name,
            "folder": str(folder),
            "batch": BATCH,
            "training": BATCH * BATCHES["training"],
            "validation": BATCH * BATCHES["validation"],
            "epochs": epochs,
        }
        contenders["PyTorch"] = lambda: torch.ask(**request)["seconds"]
    return take_turns(contenders, rounds)


def main() -> None:
    parser = benchmark_parser(__doc__, "training.json", 5, "PyTorch and timm")
    parser.add_argument("--epochs", type=int, default=1, help="of a round; default 1")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    use_cores()
    places = {str(arguments.baselines): "DIRECTORY/bin/python"}
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "tensorflow", "keras"), places),
            "baselines": "timm 1.0.31, PyTorch 2.13.0" if arguments.baselines else None,
            "rounds": arguments.rounds,
            "epochs": arguments.epochs,
            "cores": CORES,
            "size": SIZE,
            "batch": BATCH,
        },
    )
    command = [arguments.baselines, script("baseline_training.py")]
    torch = Server("PyTorch", command) if arguments.baselines else None
    with tempfile.TemporaryDirectory() as directory:
        folder, data_dir = Path(directory) / "images", Path(directory) / "prepared"
        write_files(folder)
        os.sync()
        images = BATCH * BATCHES["training"]
        for cell in cells:
            times = contest(cell, folder, data_dir, torch, arguments.rounds, arguments.epochs)
            row = measured(cell, times, images)
            results.add("results", row)
            print_table([cell, "seconds"], [[who, value] for who, value in row["seconds"].items()])
            print({key: value for key, value in row.items() if "over" in key}, flush=True)
    if torch is not None:
        torch.close()
    results.close()


if __name__ == "__main__":
    main()
