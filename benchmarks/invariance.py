"""How close to invariant symmetric networks are at any angle, beside escnn in PyTorch.

python benchmarks/invariance.py --baselines DIRECTORY/bin/python
                                [--only c4 c8] [--output benchmarks/results/invariance.json]

Networks of one shape and one cost (benchmarks/invariance_networks.py) see simulated lenses rotated
by 0 to 355 degrees (benchmarks/rotated_images.py). The error at an angle is

    sqrt(mean over images and outputs of (f(rotated) - f(unrotated))^2) / spread
    spread = sqrt(mean over images and outputs of (f(unrotated) - mean over images of it)^2)

so that 0 is invariant, and 1 as much change from rotating an image as from taking another one. It
is measured of the features before the dense layer of networks with random weights, and of the
score (the logit of "lens") of networks trained to tell lenses from other galaxies, all with one
recipe and the same batches. Rotating is not among the augmentations; but simulated galaxies have
any orientation, so that a plain network learns some invariance from them. Curves are means over
seeds; of each, the mean and the worst over the angles are given.

DIRECTORY is made by benchmarks/make_baselines.sh; without it the comparison with escnn is left
out. (About forty minutes on two cores.)
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from command_line import benchmark_parser, selected
from invariance_networks import EDGE_WIDTH_PIXELS, NETWORKS, Shape, build, features, train
from reporting import Results, environment, print_table
from rotated_images import FIELD, PASSED, SIZE, STOPPED, rotation_error, simulate

HERE = Path(__file__).parent
ANGLES = np.arange(0, 360, 5)
ROTATED_IMAGES = 32
STATISTICS_IMAGES = 128
SHOWN_IMAGES = 4
RECIPE = {"learning_rate": 4e-3, "warmup_steps": 40}
BATCH = 32
# Of the networks that escnn has too, those whose variants are measured.
VARIED = ("c4", "c8", "c16")


def make_images(train_images: int, test_images: int, steps: int) -> tuple[dict[str, Any], float]:
    """The arrays that both libraries get, and the error of rotating."""
    training, test = simulate(train_images, seed=0), simulate(test_images, seed=1)
    images = training.rotated(0)
    random = np.random.default_rng(0)
    epochs = [random.permutation(train_images) for _ in range(-(-steps * BATCH // train_images))]
    data = {
        "train_images": images,
        "train_labels": training.labels,
        "test_images": test.rotated(0),
        "test_labels": test.labels,
        "statistics_images": images[:STATISTICS_IMAGES],
        "rotated": np.stack([test.rotated(angle, ROTATED_IMAGES) for angle in ANGLES.tolist()]),
        "order": np.concatenate(epochs)[: steps * BATCH].reshape(steps, BATCH),
    }
    return data, rotation_error(simulate(8, seed=1), 30)


def error_curve(answers: np.ndarray) -> np.ndarray:
    """The error at each angle.

    Args:
        answers: shape (angles, images, outputs).
    """
    unrotated = answers[0]
    spread = np.mean(np.square(unrotated - unrotated.mean(axis=0)))
    return np.sqrt(np.mean(np.square(answers - unrotated), axis=(1, 2)) / spread)


def summary(curves: list[np.ndarray]) -> dict[str, Any]:
    """What is kept of the curves of several seeds."""
    curve = np.mean(curves, axis=0)
    return {
        "mean": round(float(curve[1:].mean()), 4),
        "worst": round(float(curve.max()), 4),
        "mean_by_seed": [round(float(one[1:].mean()), 4) for one in curves],
        "curve": [float(f"{value:.3g}") for value in curve],
    }


def trained_summary(
    scores: list[np.ndarray], right_angles: list[np.ndarray], labels: np.ndarray
) -> dict[str, Any]:
    """The same of trained networks, with accuracy and the spread of the probabilities.

    Args:
        scores: logits of each seed, shape (angles, images).
        right_angles: those of all test images, shape (1 or 4, test images).
        labels: of the test images.
    """
    result = summary([error_curve(one[..., None]) for one in scores])
    accuracy = [float(np.mean((one[0] > 0) == labels)) for one in right_angles]
    result["test_accuracy"] = [round(value, 4) for value in accuracy]
    result["rotation_std"] = round(float(np.mean([_rotation_std(one) for one in scores])), 4)
    if len(right_angles[0]) == 4:
        spreads = [_rotation_std(one) for one in right_angles]
        result["rotation_std_right_angles"] = float(f"{np.mean(spreads):.3g}")
    return result


def _probability(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-scores.astype("float64")))


def _rotation_std(scores: np.ndarray) -> float:
    """As `lensnet.evaluation.rotation_std`, of the probability of a lens."""
    return float(_probability(scores).std(axis=0).mean())


def ask_escnn(python: str, data: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Lets escnn answer."""
    with tempfile.TemporaryDirectory() as directory:
        np.savez(Path(directory) / "images.npz", **data)
        (Path(directory) / "request.json").write_text(json.dumps(request), encoding="utf-8")
        script = str(HERE / "baseline_invariance.py")
        subprocess.run([python, "-W", "ignore", script, directory], check=True)
        with np.load(Path(directory) / "answers.npz") as stored:
            return dict(stored)


def random_tasks(names: set[str], seeds: int, variant_seeds: int) -> dict[str, tuple[Shape, range]]:
    """The networks that are measured with random weights, by what they are called."""
    tasks = {}
    for shape in NETWORKS:
        if shape.symmetry in names:
            tasks[shape.symmetry] = (shape, range(seeds))
            if shape.symmetry in VARIED:
                for variant, varied in shape.variants().items():
                    tasks[f"{shape.symmetry}, {variant}"] = (varied, range(variant_seeds))
    return tasks


def measure_ours(
    tasks: dict[str, tuple[Shape, range]],
    shapes: list[Shape],
    data: dict[str, Any],
    trained_seeds: int,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything about our networks: its name, and what was found of each, once it is."""
    for key, (shape, seeds) in tasks.items():
        curves = [
            error_curve(features(shape, seed, data["statistics_images"], data["rotated"]))
            for seed in seeds
        ]
        found: dict[str, Any] = {"random": summary(curves)}
        print(f"lensnet {key}: {found['random']['mean']}", flush=True)
        if shape in shapes:
            trained = [train(shape, seed, data, RECIPE) for seed in range(trained_seeds)]
            found["parameters"] = build(shape).count_params()
            found["trained"] = trained_summary(
                [each.scores for each in trained],
                [each.right_angles for each in trained],
                data["test_labels"],
            )
            shown = _probability(trained[0].scores[:, data["test_labels"][:ROTATED_IMAGES] == 1])
            found["trained"]["shown_scores"] = shown[:, :SHOWN_IMAGES].T.round(4).tolist()
            print(f"lensnet {key}, trained: {found['trained']['mean']}", flush=True)
        yield key, found


def measure_theirs(
    python: str,
    tasks: dict[str, tuple[Shape, range]],
    data: dict[str, Any],
    trained_seeds: int,
) -> dict[str, Any]:
    """Everything about escnn's networks, by network."""
    shapes = {key: shape for key, (shape, _) in tasks.items()}
    request = {
        "edge_width_pixels": EDGE_WIDTH_PIXELS,
        "recipe": RECIPE,
        "random": [
            {"key": key, "shape": shape.request(), "seeds": list(seeds)}
            for key, (shape, seeds) in tasks.items()
        ],
        "trained": [
            {"key": key, "shape": shape.request(), "seeds": list(range(trained_seeds))}
            for key, shape in shapes.items()
            if shape in NETWORKS
        ],
    }
    answers = ask_escnn(python, data, request)
    found: dict[str, Any] = {}
    for key, (_, seeds) in tasks.items():
        curves = [error_curve(answers[f"{key}/{seed}"]) for seed in seeds]
        found[key] = {"random": summary(curves)}
    for task in request["trained"]:
        key, seeds = task["key"], task["seeds"]
        found[key]["trained"] = trained_summary(
            [answers[f"{key}/{seed}/scores"] for seed in seeds],
            [answers[f"{key}/{seed}/test"][None] for seed in seeds],
            data["test_labels"],
        )
    return found


def print_results(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """One row a network, ours beside escnn's."""
    rows = []
    for key, mine in ours.items():
        other = theirs.get(key, {})
        row: list[Any] = [key]
        for one in (mine, other):
            random = one.get("random", {})
            row += [random.get("mean", ""), random.get("worst", "")]
        for one in (mine, other):
            trained = one.get("trained", {})
            accuracy = trained.get("test_accuracy")
            row += [
                trained.get("mean", ""),
                trained.get("worst", ""),
                "" if accuracy is None else float(np.mean(accuracy)),
            ]
        rows.append(row)
    numbers = ["mean", "worst"]
    header = ["random weights", *numbers, *(f"escnn {number}" for number in numbers)]
    numbers.append("accuracy")
    header += ["trained " + numbers[0], *numbers[1:], *(f"escnn {number}" for number in numbers)]
    print_table(header, rows)


def main() -> None:
    parser = benchmark_parser(__doc__, "invariance.json", 5, "PyTorch and escnn")
    parser.add_argument("--variant-rounds", type=int, default=3, help="seeds of variants")
    parser.add_argument("--trained-rounds", type=int, default=3, help="seeds of trained networks")
    parser.add_argument("--train-images", type=int, default=2000)
    parser.add_argument("--test-images", type=int, default=500)
    parser.add_argument("--steps", type=int, default=400, help="of training")
    arguments = parser.parse_args()
    names = selected([shape.symmetry for shape in NETWORKS], arguments)

    shapes = [shape for shape in NETWORKS if shape.symmetry in names]
    data, floor = make_images(arguments.train_images, arguments.test_images, arguments.steps)
    results = Results(
        arguments.output,
        {
            "environment": environment(
                ("lensnet", "tensorflow", "keras", "numpy"),
                places={str(arguments.baselines): "DIRECTORY/bin/python"},
            ),
            "baselines": "PyTorch 2.13.0, escnn 1.0.11" if arguments.baselines else None,
            "images": {
                "simulator": "LensFindingSimulator",
                "size": SIZE,
                "simulated_size": FIELD,
                "band_limit_nyquist": [PASSED, STOPPED],
                "rotated": ROTATED_IMAGES,
                "train": arguments.train_images,
                "test": arguments.test_images,
                "error_of_rotating_there_and_back": float(f"{floor:.2g}"),
            },
            "recipe": {**RECIPE, "steps": arguments.steps, "batch": BATCH, "optimizer": "Adam"},
            "angles_degrees": ANGLES.tolist(),
            "shapes": {
                shape.symmetry: {**shape.request(), "multiply_adds": shape.multiply_adds()}
                for shape in shapes
            },
            "lensnet": {},
            "escnn": {},
        },
    )
    seeds = (arguments.rounds, arguments.variant_rounds)
    ours = results.content["lensnet"]
    tasks = random_tasks(set(names), *seeds)
    for key, found in measure_ours(tasks, shapes, data, arguments.trained_rounds):
        ours[key] = found
        results.write()
    tasks = random_tasks({"c4", "d4", "c8", "c16"} & set(names), *seeds)
    theirs: dict[str, Any] = {}
    if arguments.baselines and tasks:
        try:
            theirs = measure_theirs(arguments.baselines, tasks, data, arguments.trained_rounds)
        except subprocess.CalledProcessError as error:
            print(f"escnn is left out: its process ended with status {error.returncode} (above)")
        results.content["escnn"] = theirs
    print_results(ours, theirs)
    results.close()


if __name__ == "__main__":
    main()
