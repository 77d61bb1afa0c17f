"""Runs that are killed at random moments and resumed: do they end as one never disturbed?

python benchmarks/chaos.py [--runs 50] [--full-disks 3] [--seed 0]
                           [--output benchmarks/results/chaos.json]

Each run is a process that is ended by SIGKILL within a step of an epoch, within the writing of a
checkpoint, or within a validation, in turns; which one, and how far within it, is drawn by --seed,
after the times that an undisturbed run took. Every third trains on images that are simulated anew
each epoch (`data.fresh`). Another process goes on with what is left. The run is as never disturbed
if its best and last weights, its history (but for the seconds), its predictions and its metrics are
equal to the undisturbed run's, bit for bit. Then the disk is full within a checkpoint: the previous
one must be left as it was, and the run that goes on from it end the same.

The exit status is 1 if a single run differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from command_line import RESULTS
from processes import ProcessFailed, Server, script
from reporting import Results, Table, environment

from lensnet.config.sections import Data

MOMENTS = ("step", "checkpoint", "validation")
# What has a state of its own: slow weights, sums of gradients, means of weights, dropout's seeds, a
# rate that is lowered.
TRAINING = {
    "epochs": 3,
    "batch_size": 8,
    "optimizer": {"name": "ranger", "weight_decay": 0.01},
    "gradient_accumulation_steps": 2,
    "schedule": {"name": "reduce_on_plateau", "patience": 1, "min_delta": 10, "warmup_epochs": 1},
    "weight_averaging": {"name": "ema", "decay": 0.9},
    "checkpoint": {"steps": 1, "minutes": None},
}


@dataclass(frozen=True)
class Kind:
    """An experiment whose runs are disturbed.

    Args:
        name: of the experiment.
        file: the experiment.
        undisturbed: its run that never was.
        seconds: of each moment, how long each of its occurrences took there.
        checkpoint_bytes: the size of a checkpoint.
    """

    name: str
    file: Path
    undisturbed: Path
    seconds: Mapping[str, list[float]]
    checkpoint_bytes: int


def experiments(directory: Path) -> dict[str, dict[str, Any]]:
    """The experiments, by name: on files, and on fresh images where lensnet has these."""
    common = {
        "task": "binary",
        "model": {"backbone": "lens_cnn", "width": 0.125, "symmetry": "c4"},
        "training": TRAINING,
        "evaluation": {"rotations": 4},
        "tracking": {"tensorboard": False},
    }
    augmentation = ["flip", "rotate90", "noise", "mixup"]
    data_dir = str(directory / "prepared")
    files = {
        "dataset": "image_folder",
        "source_dir": str(write_images(directory / "images")),
        "data_dir": data_dir,
        "splits": {"train": 0.6, "validation": 0.2, "test": 0.2},
        "augmentation": augmentation,
    }
    found = {"files": {**common, "name": "files", "data": files}}
    if "fresh" in Data.model_fields:
        simulated = {
            "dataset": "deeplense_substructure/simulated",
            "data_dir": data_dir,
            "options": {"image_size": 32, "examples_per_class": 20},
            "fresh": True,
            "augmentation": augmentation,
        }
        found["fresh"] = {
            **common,
            "name": "fresh",
            "task": "classification",
            "data": simulated,
            "training": {**TRAINING, "steps_per_epoch": 4},
        }
    return found


def write_images(folder: Path, per_class: int = 40, size: int = 32) -> Path:
    """Writes noisy rings and blobs, and returns their folder."""
    noise = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(rows, columns)
    lights = {"blob": np.exp(-radius / 4), "ring": np.exp(-(((radius - size / 4) / 2) ** 2))}
    for name, light in lights.items():
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            image = light + 0.3 * noise.standard_normal((size, size))
            np.save(folder / name / f"{index}.npy", image.astype("float32"))
    return folder


def worker(experiment: Path, run: Path, *arguments: Any) -> subprocess.Popen[str]:
    """Starts a process that trains and says where it is."""
    command = [sys.executable, script("chaos_worker.py"), "fit", experiment, run, *arguments]
    with run.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=log, text=True
        )


def lines_of(process: subprocess.Popen[str]) -> Iterator[tuple[float, str, str]]:
    """Yields when, in what, and whether at its begin or end, a process says that it is."""
    assert process.stdout is not None  # noqa: S101
    for line in process.stdout:
        yield time.monotonic(), *line.split()  # type: ignore[misc]


def undisturbed(name: str, content: dict[str, Any], directory: Path) -> Kind:
    """Trains without a disturbance, and takes the times.

    Raises:
        SystemExit: it fails.
    """
    file, run = directory / f"{name}.json", directory / f"{name}-undisturbed"
    file.write_text(json.dumps(content), encoding="utf-8")
    process = worker(file, run)
    seconds: dict[str, list[float]] = {moment: [] for moment in MOMENTS}
    began: dict[str, float] = {}
    for now, place, what in lines_of(process):
        if "step" in began:  # which ends where anything else begins
            seconds["step"].append(now - began.pop("step"))
        if what == "begin":
            began[place] = now
        else:
            seconds[place].append(now - began.pop(place))
    if process.wait():
        raise SystemExit(run.with_suffix(".log").read_text(encoding="utf-8")[-3000:])
    size = (run / "checkpoints" / "last.npz").stat().st_size
    return Kind(name, file, run, seconds, size)


def kill(kind: Kind, run: Path, moment: str, chance: random.Random) -> dict[str, Any]:
    """Trains, and kills the process within a moment.

    Returns:
        what was killed: which occurrence of the moment, and what it said last.
    """
    occurrence = chance.randrange(len(kind.seconds[moment]))
    wait = chance.random() * kind.seconds[moment][occurrence]
    process = worker(kind.file, run)
    begun: Counter[str] = Counter()
    last = ""
    for _, place, what in lines_of(process):
        last = f"{place} {what}"
        if (place, what) == (moment, "begin"):
            if begun[moment] == occurrence:
                time.sleep(wait)
                process.kill()
            begun[moment] += 1
    process.wait()
    return {"occurrence": occurrence + 1, "last_word": last, "killed": process.returncode == -9}


def fill_disk(kind: Kind, run: Path, chance: random.Random) -> dict[str, Any]:
    """Trains on a disk that is full within the second checkpoint.

    Returns:
        whether the first one is left as it was, and the process said what was wrong.
    """
    before: bytes | None = None
    checkpoint = run / "checkpoints" / "last.npz"
    process = worker(kind.file, run, chance.randrange(1, kind.checkpoint_bytes))
    for _, place, what in lines_of(process):
        if (place, what) == ("checkpoint", "end"):
            before = checkpoint.read_bytes()
    code = process.wait()
    leftovers = [path.name for path in checkpoint.parent.iterdir() if path != checkpoint]
    return {
        "survived": code != 0 and before == checkpoint.read_bytes() and not leftovers,
        "last_word": run.with_suffix(".log").read_text(encoding="utf-8").splitlines()[-1][:100],
    }


def goes_on(server: Server, kind: Kind, run: Path) -> list[str]:
    """Resumes a run, and names what differs from the undisturbed one."""
    content = json.loads(kind.file.read_text(encoding="utf-8"))
    try:
        server.ask(experiment=content, run=str(run))
        found: list[str] = server.ask(runs=[str(kind.undisturbed), str(run)])["differences"]
        return found
    except ProcessFailed as error:
        return [str(error)]


def main() -> None:
    """Disturbs, compares, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50, help="to kill (default 50)")
    parser.add_argument("--full-disks", type=int, default=3, help="default 3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS / "chaos.json")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    results = Results(arguments.output, {"environment": environment(("tensorflow", "keras"))})
    table = Table({"run": 4, "data": 6, "disturbed": 11, "last word": 18, "equal": 6, "seconds": 7})
    server = Server("lensnet", [sys.executable, script("chaos_worker.py"), "answer"])
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        found = experiments(directory)
        if "fresh" not in found:
            print("This lensnet has no data.fresh: all runs train on files.", flush=True)
        kinds = [undisturbed(name, content, directory) for name, content in found.items()]
        for number in range(arguments.runs + arguments.full_disks):
            start = time.monotonic()
            # Every third on fresh images, for each moment in turn.
            kind = kinds[-1 if number // len(MOMENTS) % 3 == 2 else 0]
            run = directory / f"run-{number}"
            if number < arguments.runs:
                moment = MOMENTS[number % len(MOMENTS)]
                row = kill(kind, run, moment, chance)
                differ = [] if row["killed"] else ["it was not killed"]
            else:
                moment = "full disk"
                row = fill_disk(kind, run, chance)
                differ = [] if row["survived"] else ["the checkpoint before did not survive"]
            differ += goes_on(server, kind, run)
            failures += bool(differ)
            seconds = round(time.monotonic() - start, 1)
            row = {"data": kind.name, "disturbed": moment, **row, "differs": differ}
            results.add("runs", {**row, "seconds": seconds})
            shown = ", ".join(differ) or "yes"
            table.add(number + 1, kind.name, moment, row["last_word"], shown, seconds)
    server.close()
    total = arguments.runs + arguments.full_disks
    print(f"{total - failures} of {total} as never disturbed.")
    results.content["as_never_disturbed"] = f"{total - failures} of {total}"
    results.close()
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
