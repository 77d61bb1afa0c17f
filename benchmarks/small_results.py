"""The result files of the small studies, and the committees that are made of scores."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from reporting import Results, environment
from small_reckoning import committee_sums
from small_study_files import Study

__all__ = ["QuestionResults", "committees_of", "result_file"]

PACKAGES = ("lensnet", "tensorflow", "keras", "numpy", "numba")


def result_file(folder: Path, question: str) -> Path:
    """Where the results of a question are."""
    return folder / f"small_{question}.json"


class QuestionResults:
    """What has been measured of a question: kept from call to call, written anew with every row.

    Each row says by `environment` in which of `environments` it was measured.

    Args:
        folder: that of the results.
        study: the question.
        places: what stands in the command for a path of this machine, by the path.
    """

    def __init__(self, folder: Path, study: Study, places: Mapping[str, str]):
        path = result_file(folder, study.name)
        content: dict[str, Any] = {"environments": [], "runs": []}
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
        self._results = Results(path, content)
        self._places = dict(places)
        self._lock = threading.Lock()

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The rows that are done."""
        runs: list[dict[str, Any]] = self._results.content["runs"]
        return runs

    def has(self, row: str, seed: int) -> bool:
        """Whether a row is done at a seed."""
        return any((one["row"], one["seed"]) == (row, seed) for one in self.runs)

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row and writes the file."""
        with self._lock:
            self._results.add("runs", {**row, "environment": self._environment()})

    def set_committees(self, rows: list[dict[str, Any]]) -> None:
        """Replaces what is known of committees, and writes the file."""
        with self._lock:
            self._results.content["committees"] = rows
            self._results.write()

    def _environment(self) -> int:
        """The place of this process's environment in the list, where it is put if need be."""
        here = {
            key: value
            for key, value in environment(PACKAGES, self._places).items()
            if key != "date"
        }
        known = self._results.content["environments"]
        if here not in known:
            known.append(here)
        return int(known.index(here))


def committees_of(
    members: Mapping[tuple[str, int], Path], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Measures all committees of so many networks, single ones among them.

    A committee's score is the mean of its members' probabilities.

    Args:
        members: files of `labels` and `scores` by kind and seed, all on the same images.
        sizes: of committees.

    Returns:
        for each size and kind how many committees there are, and of each metric the mean over them
        and the sample standard deviation (of committees that share members).
    """
    from lensnet.evaluation.metrics import binary_metrics

    scores: dict[str, np.ndarray] = {}
    kinds: dict[str, list[str]] = {}
    labels: np.ndarray | None = None
    for (kind, seed), path in members.items():
        with np.load(path) as stored:
            if labels is not None and not np.array_equal(labels, stored["labels"]):
                raise ValueError(f"{path} has other images than the files before it.")
            labels = stored["labels"]
            scores[f"{kind}/{seed}"] = stored["scores"].astype(np.float64)
        kinds.setdefault(kind, []).append(f"{kind}/{seed}")
    if labels is None:
        return []
    names = ("roc_auc", "tpr0", "tpr10", "tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3", "tpr_at_fpr_1e-4")
    rows: list[dict[str, Any]] = []
    for size in (1, *sizes):
        for kind, committees in committee_sums(kinds, size).items():
            measured = [
                binary_metrics(labels, np.mean([scores[one] for one in chosen], axis=0), only=names)
                for chosen in committees
            ]
            row: dict[str, Any] = {"size": size, "kind": kind, "committees": len(committees)}
            for name in names:
                values = [one[name] for one in measured if one[name] is not None]
                if values:
                    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
                    row[name] = [
                        round(float(np.mean(values)), 6),
                        None if deviation is None else round(deviation, 6),
                    ]
            rows.append(row)
    return rows
