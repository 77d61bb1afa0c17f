"""What endless simulated data buy: networks trained on fixed images and on fresh ones.

python benchmarks/endless.py --original DIRECTORY --work DIRECTORY [--only c4/1125]
                             [--output benchmarks/results/endless.json]

A resnet18 of width 0.5, plain and symmetric under c4, learns DeepLense Model I at 97 px (simulated
at 150 px, as published, and resized) in batches of 32: on 2,400 images that come again every epoch,
and with `data.fresh` on new ones, by one recipe (the defaults of an experiment, without early
stopping; the weights are those of the best epoch by the same 300 validation images). Each is
tested on 1,500 further simulated images, and on those that the original generator has made: of
`no_sub/*.npy`, `cdm/*.npy` and `axion/*.npy` in the directory given. Reported is the area under the
ROC curve, mean over the classes against the rest, and what of it is missing, 1 - AUC, of the fresh
over the fixed.

A row is written after each training. The same command goes on with those that are missing, and with
a training that was interrupted after its last whole epoch: the run folders lie in --work. (Some
five hours on two cores.)
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from command_line import benchmark_parser, selected
from processes import ProcessFailed, Server, answer_requests, script
from reporting import Results, Table, environment, print_table

SYMMETRIES, STEPS, DATA, SEEDS = ("c4", "none"), (1125, 4500), ("fixed", "fresh"), (0, 1, 2)
NATIVE_SIZE, SIZE, BATCH, WIDTH = 150, 97, 32, 0.5
PER_CLASS, SPLITS = 1000, {"train": 0.8, "validation": 0.1, "test": 0.1}
STEPS_PER_EPOCH = 75
TEST_PER_CLASS, TEST_SEED = 500, 1_000_000

CELLS = [
    f"{symmetry}/{steps}/{data}/{seed}"
    for seed, steps, symmetry, data in itertools.product(SEEDS, STEPS, SYMMETRIES, DATA)
]


def experiment_of(cell: str, work: Path) -> Any:
    """The experiment of a cell, its records below a directory."""
    from lensnet.config import Experiment

    symmetry, steps, data, seed = cell.split("/")
    return Experiment.model_validate(
        {
            "name": cell.replace("/", "-"),
            "seed": int(seed),
            "task": "classification",
            "data": {
                "dataset": "deeplense_substructure/simulated",
                "data_dir": str(work / "records"),
                "options": {"image_size": NATIVE_SIZE, "examples_per_class": PER_CLASS},
                "splits": SPLITS,
                "image_size": SIZE,
                "fresh": data == "fresh",
            },
            "model": {"backbone": "resnet18", "symmetry": symmetry, "width": WIDTH},
            "training": {
                "epochs": int(steps) // STEPS_PER_EPOCH,
                "steps_per_epoch": STEPS_PER_EPOCH if data == "fresh" else None,
                "batch_size": BATCH,
                "early_stopping": None,
            },
            "evaluation": {"rotations": 4},
        }
    )


def simulated_test() -> tuple[np.ndarray, np.ndarray]:
    """Images that nothing was trained or chosen by, and their classes."""
    from lensnet.simulation import SubstructureSimulator

    simulator = SubstructureSimulator(image_size=NATIVE_SIZE)
    made = [
        simulator.simulate(name, index, TEST_SEED)
        for name in simulator.classes
        for index in range(TEST_PER_CLASS)
    ]
    return np.stack([one.image for one in made]), np.array([one.label for one in made])


def original_test(directory: Path, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The images of the original generator, and their classes."""
    from lensnet.data import read_image

    paths = [sorted((directory / name).glob("*.npy")) for name in classes]
    images = [read_image(path) for of_class in paths for path in of_class]
    return np.stack(images), np.repeat(np.arange(len(classes)), list(map(len, paths)))


def train_and_test(cell: str, work: Path, original: Path) -> dict[str, Any]:
    """Trains a network, or goes on with it, and returns how well it does."""
    import csv

    from lensnet.data import prepare
    from lensnet.evaluation import classification_metrics
    from lensnet.prediction.predictor import Predictor
    from lensnet.training import fit

    experiment = experiment_of(cell, work)
    # An epoch must be as long in both.
    steps = prepare(experiment).steps_per_epoch(BATCH)
    if steps != STEPS_PER_EPOCH:
        raise RuntimeError(f"An epoch has {steps} steps, and not {STEPS_PER_EPOCH}.")
    run = fit(experiment, work / "runs" / experiment.name, resume=True).path
    predictor = Predictor.open(run)
    found: dict[str, Any] = {}
    tests = {
        "simulated": simulated_test(),
        "original": original_test(original, predictor.classes),
    }
    for name, (images, labels) in tests.items():
        parts = np.array_split(images, -(-len(images) // 100))
        scores = np.concatenate([predictor(part) for part in parts])
        measured = classification_metrics(labels, scores)
        found[name] = {key: measured[key] for key in ("examples", "roc_auc", "accuracy")}
    with (run / "history.csv").open(newline="") as stream:
        history = list(csv.DictReader(stream))
    best = min(history, key=lambda row: float(row["val_loss"]))
    return {
        **found,
        "best_epoch": int(best["epoch"]),
        "epochs": len(history),
        "last_training_accuracy": float(history[-1]["accuracy"]),
        "last_validation_accuracy": float(history[-1]["val_accuracy"]),
        "training_minutes": round(sum(float(row["seconds"]) for row in history) / 60, 2),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """1 - AUC of the fresh over the fixed, for each network, length and test."""
    found = []
    for symmetry, steps, test in itertools.product(SYMMETRIES, STEPS, ("simulated", "original")):
        missing: dict[str, dict[str, float]] = {}
        for row in rows:
            ours, length, data, seed = row["cell"].split("/")
            if (ours, length) == (symmetry, str(steps)):
                missing.setdefault(data, {})[seed] = 1 - row[test]["roc_auc"]
        seeds = sorted(set(missing.get("fixed", {})) & set(missing.get("fresh", {})))
        if not seeds:
            continue
        means = {name: statistics.mean(missing[name][s] for s in seeds) for name in DATA}
        found.append(
            {
                "symmetry": symmetry,
                "steps": steps,
                "test": test,
                "seeds": len(seeds),
                "auc_fixed": round(1 - means["fixed"], 5),
                "auc_fresh": round(1 - means["fresh"], 5),
                "fresh_over_fixed": round(means["fresh"] / means["fixed"], 3),
                "by_seed": [
                    round(missing["fresh"][seed] / missing["fixed"][seed], 3) for seed in seeds
                ],
            }
        )
    return found


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own does: each training has a clean one."""
    return train_and_test(request["cell"], Path(request["work"]), Path(request["original"]))


def main() -> None:
    if sys.argv[1:] == ["--answer"]:
        answer_requests(answer)
        return
    parser = benchmark_parser(__doc__, "endless.json", 1)
    parser.add_argument("--original", type=Path, help="images of the original generator")
    parser.add_argument("--work", type=Path, help="where records and run folders go, and stay")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    if arguments.original is None or arguments.work is None:
        parser.error("--original and --work are needed")
    places = {str(arguments.original): "ORIGINAL", str(arguments.work): "WORK"}
    packages = ("lensnet", "tensorflow", "keras", "numpy", "numba")
    results = Results(
        arguments.output,
        {
            "environment": environment(packages, places),
            "images": f"{NATIVE_SIZE} px resized to {SIZE}, batches of {BATCH}",
            "fixed_images": round(SPLITS["train"] * PER_CLASS * 3),
        },
    )
    rows: list[dict[str, Any]] = []
    if arguments.output.is_file():
        rows = json.loads(arguments.output.read_text(encoding="utf-8")).get("runs", [])
    results.content["runs"] = rows
    table = Table({"cell": 18, "simulated AUC": 9, "original AUC": 9, "minutes": 8})
    for cell in cells:
        if cell in {row["cell"] for row in rows}:
            continue
        server = Server(cell, [sys.executable, script("endless.py"), "--answer"])
        request = {
            "cell": cell,
            "work": str(arguments.work.absolute()),
            "original": str(arguments.original.absolute()),
        }
        try:
            row = {"cell": cell, **server.ask(**request)}
        except ProcessFailed as error:
            print(f"{cell} is left out: {error}", file=sys.stderr, flush=True)
            continue
        finally:
            server.close()
        results.add("runs", row)
        results.content["summary"] = summary(rows)
        results.write()
        table.add(
            cell, row["simulated"]["roc_auc"], row["original"]["roc_auc"], row["training_minutes"]
        )
    results.content["summary"] = summary(rows)
    found = results.content["summary"]
    print_table(list(found[0]) if found else [], [list(row.values()) for row in found])
    results.close()


if __name__ == "__main__":
    main()
