"""The process that chaos.py kills, and the one that goes on with what it has left.

`python chaos_worker.py fit EXPERIMENT.json RUN` trains, and announces on standard output where it
is: a line `NAME begin` or `NAME end` for each step, checkpoint and validation. With a number of
bytes as a fourth argument the disk is full after the first checkpoint: no file may grow larger.
`python chaos_worker.py answer` answers requests: `{"experiment": ..., "run": ...}` goes on with a
run and measures it, `{"runs": [one, other]}` compares two.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from processes import answer_requests

from lensnet.config import Experiment

PLACES = {
    "on_train_batch_begin": ("step", "begin"),
    "on_test_begin": ("validation", "begin"),
    "on_test_end": ("validation", "end"),
}


def announced(output: int, limit: int | None) -> None:
    """Lets the training of this process say where it is, and the disk be full when it is to be."""
    from lensnet.training import run_checkpoint

    def say(name: str, what: str) -> None:
        os.write(output, f"{name} {what}\n".encode())

    def announcing(method: str, name: str, what: str) -> Callable[..., None]:
        own = getattr(run_checkpoint.RunCheckpoint, method)

        def call(self: Any, *arguments: Any, **options: Any) -> None:
            say(name, what)
            own(self, *arguments, **options)

        return call

    for method, (name, what) in PLACES.items():
        setattr(run_checkpoint.RunCheckpoint, method, announcing(method, name, what))
    save = run_checkpoint.save_checkpoint

    def saving(*arguments: Any) -> None:
        say("checkpoint", "begin")
        save(*arguments)
        say("checkpoint", "end")
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run_checkpoint.save_checkpoint = saving


def fit(content: Mapping[str, Any], run: str) -> None:
    """Trains, or goes on."""
    from lensnet.training import fit

    fit(Experiment.model_validate(content), run, resume=True)


def differences(one: Path, other: Path) -> list[str]:
    """Names what differs between two runs, but for times."""
    import keras

    found = []
    for name in ("model.keras", "checkpoints/last.keras"):
        weights = [keras.models.load_model(run / name).get_weights() for run in (one, other)]
        if not all(map(np.array_equal, *weights)):
            found.append(name)
    if (one / "predictions.csv").read_bytes() != (other / "predictions.csv").read_bytes():
        found.append("predictions.csv")
    if _history(one) != _history(other):
        found.append("history.csv")
    if _metrics(one) != _metrics(other):
        found.append("metrics.json")
    return found


def _history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _metrics(run: Path) -> dict[str, Any]:
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return {key: value for key, value in metrics.items() if key != "timing"}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answers a request."""
    if "runs" in request:
        return {"differences": differences(*map(Path, request["runs"]))}
    fit(request["experiment"], request["run"])
    return {}


def main() -> None:
    """Does what the first argument says."""
    if sys.argv[1] == "answer":
        answer_requests(answer)
        return
    _, _, experiment, run, *limit = sys.argv
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    announced(output, int(limit[0]) if limit else None)
    fit(json.loads(Path(experiment).read_text(encoding="utf-8")), run)


if __name__ == "__main__":
    main()
