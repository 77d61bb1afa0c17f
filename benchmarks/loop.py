"""How much of what all true labels would bring do graded candidates bring?

python benchmarks/loop.py [--objects 50000] [--prevalence 1e-3] [--look-alikes 0.02]
                          [--seeds 0 1 2] [--work FOLDER] [--output benchmarks/results/loop.json]

A network (experiments/loop.yaml) is trained on simulated lenses and on galaxies with companions. It
searches a simulated survey of `--objects` galaxies, of which one in a thousand is a lens and one in
fifty a ring galaxy, a spiral or a merger with tidal tails, which its training lacks
(lensnet.simulation.LookAlikeSimulator). An oracle grades the 200 of highest score, `lensnet learn`
trains on with these, the survey is scored anew, the oracle grades 200 of highest score that it has
not graded, and `lensnet learn` trains once more. Beside it, the same network is trained on in the
same way with the true labels of all objects.

Counted are the lenses among the 200 of highest score, in the survey itself and in another of the
same kind that no network has seen; there the share of the gain is taken:

    regained = (after two rounds - before) / (with all labels - before)

Every step is a command of lensnet in a process of its own. What is there already is not done again:
a benchmark that was stopped goes on where it was, in `--work`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from reporting import Results, Table, environment

from lensnet.files import replacing
from lensnet.simulation import LensFindingSimulator, LookAlikeSimulator

HERE = Path(__file__).parent
EXPERIMENT = HERE.parent / "experiments" / "loop.yaml"
GRADED = 200
SURVEY_SEED = 1000
"""Of the first survey's images; those of the first training have the seed itself."""

Kind = tuple[str, int]


def kinds_of(objects: int, prevalence: float, look_alikes: float) -> list[Kind]:
    """What a survey holds: the kind of each object, and its number among those of its kind."""
    lenses = round(objects * prevalence)
    others = round(objects * look_alikes)
    names = LookAlikeSimulator.CLASSES
    found = [("lens", number) for number in range(lenses)]
    found += [(names[number % len(names)], number // len(names)) for number in range(others)]
    return found + [("nonlens", number) for number in range(objects - len(found))]


def simulate(job: tuple[str, int, int, int]) -> np.ndarray:
    """An image (H, W) of a survey: its kind, number, the survey's seed, and the image's size."""
    kind, number, seed, size = job
    survey = LensFindingSimulator(image_size=size)
    maker: Any = survey if kind in survey.classes else LookAlikeSimulator(survey=survey)
    image: np.ndarray = maker.simulate(kind, number, seed).image
    return image


def make_survey(folder: Path, kinds: list[Kind], seed: int, size: int, processes: int) -> None:
    """Writes the cutouts of a survey, in an order that tells nothing, and the truth beside them."""
    truth = folder / "truth.csv"
    if truth.is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    order = np.random.default_rng(seed).permutation(len(kinds))
    jobs = [(*kinds[place], SURVEY_SEED + seed, size) for place in order]
    cutouts = folder / "cutouts"
    with ProcessPoolExecutor(processes) as pool:
        for number, image in enumerate(pool.map(simulate, jobs, chunksize=64)):
            below = cutouts / f"{number // 1000:03d}"
            below.mkdir(parents=True, exist_ok=True)
            np.save(below / f"{number:06d}.npy", image)
    with replacing(truth) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "kind"])
        writer.writerows([f"{n // 1000:03d}/{n:06d}", kinds[p][0]] for n, p in enumerate(order))


def read_truth(folder: Path) -> dict[str, str]:
    """The kind of each object of a survey."""
    with open(folder / "truth.csv", newline="") as file:
        return {row["id"]: row["kind"] for row in csv.DictReader(file)}


def lensnet(*words: str | Path) -> None:
    """Runs a command of lensnet; what it says is shown where it fails."""
    command = [sys.executable, "-m", "lensnet", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def score(run: Path, survey: Path, output: Path) -> dict[str, float]:
    """The score of each object by a run's network, highest first."""
    if not output.is_file():
        lensnet("predict", run, survey / "cutouts", "-o", output, "--batch-size", "256")
    with open(output, newline="") as file:
        found = {row["id"]: float(row["score_lens"]) for row in csv.DictReader(file)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def found_among_first(scores: dict[str, float], truth: dict[str, str]) -> int:
    """Lenses among the 200 of highest score."""
    return sum(truth[id_] == "lens" for id_ in list(scores)[:GRADED])


def grade(path: Path, ids: Sequence[str], truth: dict[str, str]) -> None:
    """Writes what the oracle says."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "grade", "grader", "comment", "time"])
        for id_ in ids:
            writer.writerow([id_, "A" if truth[id_] == "lens" else "X", "oracle", truth[id_], ""])


def is_finished(run: Path) -> bool:
    """Whether a run has been measured."""
    return (run / "report.html").is_file() and (run / "metrics.json").is_file()


def learn(run: Path, grades: Sequence[Path], scores: Path, output: Path, more: list[str]) -> None:
    """Trains on from a run."""
    if (output / "learning.json").is_file():
        return
    for folder in (output, output.with_name(f"{output.name}.candidates")):
        shutil.rmtree(folder, ignore_errors=True)
    lensnet("learn", run, *grades, "--scores", scores, "-o", output, *more)


def loop(seed: int, options: argparse.Namespace, add: Callable[[dict[str, Any]], None]) -> None:
    """Goes through both rounds, and trains on with all labels beside."""
    work = options.work / f"seed-{seed}"
    size = int(options.image_size)
    kinds = kinds_of(options.objects, options.prevalence, options.look_alikes)
    surveys = {"searched": work / "survey", "unseen": work / "unseen"}
    for number, folder in enumerate(surveys.values()):
        make_survey(folder, kinds, 2 * seed + number, size, options.processes)
    truths = {name: read_truth(folder) for name, folder in surveys.items()}
    truth = truths["searched"]
    settings = [
        *("--set", f"seed={seed}", "--set", f"data.data_dir={work / 'prepared'}"),
        *("--set", f"data.options.image_size={size}", "--set", f"data.seed={seed}"),
        *(word for text in options.set for word in ("--set", text)),
    ]
    first = work / "loop"
    start = time.monotonic()

    def measured(name: str, run: Path, graded: int) -> dict[str, float]:
        nonlocal start
        scores = {
            key: score(run, folder, work / f"{run.name}-{key}.csv")
            for key, folder in surveys.items()
        }
        counts = {key: found_among_first(of, truths[key]) for key, of in scores.items()}
        lenses = sum(kind == "lens" for kind in truth.values())
        row = {"seed": seed, "network": name, "graded": graded, "lenses": lenses, **counts}
        add({**row, "seconds": round(time.monotonic() - start, 1)})
        start = time.monotonic()
        return scores["searched"]

    if not is_finished(first):
        shutil.rmtree(first, ignore_errors=True)
        lensnet("fit", EXPERIMENT, "--run-dir", first, *settings)
    scores = measured("before", first, 0)
    more = [word for text in options.learn for word in text.split()]
    run, graded = first, {}
    for number in (1, 2):
        chosen = [id_ for id_ in scores if id_ not in graded][:GRADED]
        graded |= dict.fromkeys(chosen)
        grades, output = work / f"grades-{number}.csv", work / f"loop-{number + 1}"
        grade(grades, chosen, truth)
        learn(run, [grades], work / f"{run.name}-searched.csv", output, more)
        run = output
        scores = measured(f"round {number}", run, len(graded))
    everything = work / "grades-all.csv"
    grade(everything, list(truth), truth)
    learn(first, [everything], work / f"{first.name}-searched.csv", work / "loop-all", more)
    measured("all labels", work / "loop-all", len(truth))


def regained(rows: Sequence[dict[str, Any]], survey: str) -> dict[str, Any]:
    """The share of the gain, a seed each and of all together."""
    found: dict[str, Any] = {}
    by_seed: dict[int, dict[str, int]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], {})[row["network"]] = row[survey]
    whole = [of for of in by_seed.values() if {"before", "round 2", "all labels"} <= of.keys()]
    for seed, of in by_seed.items():
        if of in whole:
            gain = of["all labels"] - of["before"]
            found[str(seed)] = round((of["round 2"] - of["before"]) / gain, 3) if gain else None
    gain = sum(of["all labels"] - of["before"] for of in whole)
    got = sum(of["round 2"] - of["before"] for of in whole)
    return {"seeds": found, "together": round(got / gain, 3) if gain else None}


def main() -> None:
    """Goes through all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--prevalence", type=float, default=1e-3)
    parser.add_argument("--look-alikes", type=float, default=0.02, help="share of the objects")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=Path("loop-work"))
    parser.add_argument("--set", action="append", default=[], help="a key of the first experiment")
    parser.add_argument("--learn", action="append", default=[], help="options of lensnet learn")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "loop.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    known = options.work / "rows.jsonl"
    rows = [json.loads(line) for line in known.read_text().splitlines()] if known.is_file() else []
    seen = {(row["seed"], row["network"]): row for row in rows}
    content = {
        **environment(["lensnet", "tensorflow", "keras", "numpy"], {str(options.work): "FOLDER"}),
        "objects": options.objects,
        "prevalence": options.prevalence,
        "look_alikes": options.look_alikes,
        "graded_a_round": GRADED,
    }
    results = Results(options.output, content)
    table = Table({"seed": 4, "network": 12, "graded": 6, "searched": 8, "unseen": 6, "seconds": 7})

    def add(row: dict[str, Any]) -> None:
        key = row["seed"], row["network"]
        if key not in seen:
            seen[key] = row
            with open(known, "a") as file:
                file.write(json.dumps(row) + "\n")
        row = seen[key]
        results.add("rows", row)
        for survey in ("searched", "unseen"):
            results.content[f"regained_{survey}"] = regained(results.content["rows"], survey)
        results.write()
        table.add(*(row[name] for name in table.columns))

    for seed in options.seeds:
        loop(seed, options, add)
    for survey in ("searched", "unseen"):
        print(f"Regained, {survey}: {results.content[f'regained_{survey}']}")
    results.close()


if __name__ == "__main__":
    main()
