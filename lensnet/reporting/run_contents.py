"""What lies in a run folder, read so that a missing or broken part never stops the rest.

A run may have been interrupted at any moment. Each part is read on its own; what is missing or
unreadable becomes a sentence in `RunContents.problems`, for the report to say.
"""

from __future__ import annotations

import csv
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lensnet import registry
from lensnet.config.documents import parse_document
from lensnet.config.task import TaskSpec
from lensnet.csv_tables import read_dicts
from lensnet.errors import ConfigurationError, RunError
from lensnet.model_file import check_expansion
from lensnet.reporting.learning_file import LearningFile, parse_learning
from lensnet.reporting.metrics_file import (
    MetricsFile,
    RotationSet,
    is_number,
    parse_invariance,
    parse_metrics,
)

Row = dict[str, str]


@dataclass(frozen=True)
class RunContents:
    """The parts of a run, empty where they are missing.

    Attributes:
        path: The folder.
        experiment: The experiment, resolved, as nested mappings.
        experiment_text: The same as it stands in `experiment.yaml`.
        environment: Versions, devices, revision and seed.
        measured: What `metrics.json` says.
        invariance: What `lensnet invariance` has measured.
        trained: The folder of the run, of which this is an evaluation on other data; else `path`.
        class_names: The classes in label order, from `data.json`.
        history: A row an epoch, as text.
        test_labels: Label to number of test images, from `predictions.csv`.
        test_targets: The test targets of a regression, from the same file.
        class_counts: Split to class to number of images, from `data.json`.
        bad_files: File and reason of each entry of `quarantine.csv`; None where there is no such
            file.
        figures: The PNG files of `figures/`, by name.
        parameters: Number of weights in `model.keras`; None where it cannot be told.
        date: When the run was started, or as near to that as its files tell.
        learned: What a round of `lensnet learn` has gained; empty where it was none.
        ensemble: What the runs of an ensemble, and it, reach on the validation split.
        problems: What is missing or unreadable, in sentences.
    """

    path: Path
    experiment: dict[str, Any] = field(default_factory=dict)
    experiment_text: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    measured: MetricsFile = field(default_factory=MetricsFile)
    invariance: list[RotationSet] = field(default_factory=list)
    trained: Path | None = None
    class_names: list[str] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    test_labels: dict[str, int] = field(default_factory=dict)
    test_targets: list[float] = field(default_factory=list)
    class_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    bad_files: list[tuple[str, str]] | None = None
    figures: list[Path] = field(default_factory=list)
    parameters: int | None = None
    date: datetime | None = None
    learned: LearningFile = field(default_factory=LearningFile)
    ensemble: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def setting(self, *keys: str) -> Any:
        """Return a value of the experiment by its path of keys, or None."""
        value: Any = self.experiment
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Split to metric to value."""
        return self.measured.metrics

    @property
    def undefined(self) -> dict[str, dict[str, str]]:
        """Split to metric to the reason why it has no value."""
        return self.measured.undefined

    @property
    def warnings(self) -> list[str]:
        """What must be said beside the metrics."""
        return self.measured.warnings

    @property
    def is_elsewhere(self) -> bool:
        """Whether a run was measured on other data than its own."""
        return self.trained is not None and self.trained != self.path

    @property
    def positive(self) -> str:
        """What a search among two classes looks for, in words."""
        known = len(self.class_names) == 2
        return f'the class "{self.class_names[1]}"' if known else "the positive class"

    @property
    def task(self) -> TaskSpec | None:
        """The run's task; None where its experiment does not tell."""
        return _task(self.experiment)


def read_run_contents(run_dir: str | os.PathLike[str]) -> RunContents:
    """Read a run folder.

    Raises:
        RunError: There is no such folder, or it holds no `experiment.yaml` and so is not that of
            a run.
    """
    path = Path(run_dir)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise RunError(f"{path} {what}; a report is made of a run folder, as `lensnet fit` makes")
    if not (path / "experiment.yaml").is_file():
        raise RunError(
            f"{path} is not a run folder: it holds no experiment.yaml, which `lensnet fit` writes "
            "first of all"
        )
    problems: list[str] = []
    text = _text(path / "experiment.yaml", problems)
    experiment = _experiment(text, problems)
    task = _task(experiment)
    trained = _trained(path)
    environment = _json(trained / "environment.json", problems)
    measured = _metrics(path / "metrics.json", problems)
    is_ensemble = (trained / "ensemble.json").is_file()
    labels, targets = _predictions(path / "predictions.csv", task, problems)
    return RunContents(
        path=path,
        experiment=experiment,
        experiment_text=text,
        environment=environment,
        measured=measured,
        invariance=_invariance(path / "invariance.json", problems),
        trained=trained,
        class_names=_class_names(path / "data.json"),
        history=[] if is_ensemble else _history(trained / "history.csv", problems),
        test_labels=labels,
        test_targets=targets,
        class_counts=_class_counts(path / "data.json", problems),
        bad_files=_bad_files(path / "quarantine.csv", problems),
        figures=_figures(path / "figures", problems),
        parameters=_parameters(trained / "model.keras", problems),
        date=_date(path, environment),
        learned=_learned(path / "learning.json", problems),
        ensemble=_ensemble(trained / "ensemble.json", problems) if is_ensemble else [],
        problems=problems,
    )


def _trained(path: Path) -> Path:
    """Return the folder of the run that was measured: another where it was on other data."""
    run = path.resolve().parent.parent
    elsewhere = path.resolve().parent.name == "evaluations" and (run / "experiment.yaml").is_file()
    return run if elsewhere else path


def _task(experiment: Mapping[str, Any]) -> TaskSpec | None:
    name = str(experiment.get("task"))
    return registry.tasks.get(name) if name in registry.tasks else None


@contextmanager
def _surviving(path: Path, problems: list[str]) -> Iterator[None]:
    """Turn what can go wrong in reading a file into a problem."""
    try:
        yield
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError),
        *(RecursionError, csv.Error, ConfigurationError),
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        problems.append(f"{path.name} cannot be read: {reason[:200]}")
    except zipfile.BadZipFile:
        problems.append(f"{path.name} cannot be read: it is cut off or not a Keras file")


def _present(path: Path, problems: list[str], so: str) -> bool:
    if path.is_file():
        return True
    problems.append(f"{path.name} is missing: {so}")
    return False


def _text(path: Path, problems: list[str]) -> str:
    with _surviving(path, problems):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _experiment(text: str, problems: list[str]) -> dict[str, Any]:
    with _surviving(Path("experiment.yaml"), problems):
        content = parse_document(text, "experiment.yaml").content
        if isinstance(content, dict):
            return content
        problems.append("experiment.yaml holds no settings")
    return {}


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    if not _present(path, problems, "versions and devices are not known"):
        return {}
    with _surviving(path, problems):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
        problems.append(f"{path.name} holds no mapping")
    return {}


def _metrics(path: Path, problems: list[str]) -> MetricsFile:
    if not path.is_file():
        problems.append("metrics.json is missing: the run was not evaluated yet")
        return MetricsFile()
    return parse_metrics(_json(path, problems))


def _learned(path: Path, problems: list[str]) -> LearningFile:
    return parse_learning(_json(path, problems)) if path.is_file() else LearningFile()


def _ensemble(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    """Read what the members and the ensemble reach: name, weight and metrics of each."""
    rows = _json(path, problems).get("validation")
    with _surviving(path, problems):
        return [
            {
                "name": str(row["name"]),
                "weight": row["weight"] if is_number(row["weight"]) else None,
                "validation": {
                    str(key): float(value)
                    for key, value in row["validation"].items()
                    if is_number(value)
                },
            }
            for row in rows or []
        ]
    return []


def _invariance(path: Path, problems: list[str]) -> list[RotationSet]:
    """Read what `lensnet invariance` has measured; the file is optional."""
    return parse_invariance(_json(path, problems)) if path.is_file() else []


def _rows(path: Path) -> Iterator[Row]:
    yield from read_dicts(path)


def _history(path: Path, problems: list[str]) -> list[Row]:
    if not _present(path, problems, "no epoch was finished"):
        return []
    with _surviving(path, problems):
        return list(_rows(path))
    return []


def _predictions(
    path: Path, task: TaskSpec | None, problems: list[str]
) -> tuple[dict[str, int], list[float]]:
    if not _present(path, problems, "the test images were not predicted"):
        return {}, []
    with _surviving(path, problems):
        column = None
        labels: Counter[str] = Counter()
        targets: list[float] = []
        for row in _rows(path):
            if column is None:
                column = next((name for name in ("label", "target") if name in row), None)
                if column is None:
                    problems.append("predictions.csv has no column label")
                    return {}, []
            if task is not None and not task.predicts_classes:
                targets.append(float(row[column]))
            else:
                labels[row[column]] += 1
        return dict(labels), targets
    return {}, []


def _class_counts(path: Path, problems: list[str]) -> dict[str, dict[str, int]]:
    """Read `{"counts": {split: {class: number}}}`; the file is optional."""
    if not path.is_file():
        return {}
    with _surviving(path, problems):
        counts = json.loads(path.read_text(encoding="utf-8"))["counts"]
        return {
            str(split): {str(name): int(number) for name, number in classes.items()}
            for split, classes in counts.items()
            if isinstance(classes, dict)
        }
    return {}


def _class_names(path: Path) -> list[str]:
    """Read `{"classes": [...]}`; what is wrong with the file, the counts have said."""
    with _surviving(path, []):
        classes = json.loads(path.read_text(encoding="utf-8"))["classes"]
        return list(map(str, classes)) if isinstance(classes, list) else []
    return []


def _bad_files(path: Path, problems: list[str]) -> list[tuple[str, str]] | None:
    if not path.is_file():
        return None
    with _surviving(path, problems):
        found = []
        for row in _rows(path):
            names = list(row)
            file = next((row[name] for name in ("file", "path", "id") if name in row), "")
            reason = row.get("reason") or (row[names[-1]] if len(names) > 1 else "")
            found.append((file or row[names[0]], reason))
        return found
    return None


def _figures(folder: Path, problems: list[str]) -> list[Path]:
    found: list[Path] = []
    if folder.is_dir():
        with _surviving(folder, problems):
            for path in sorted(folder.glob("*.png")):
                with path.open("rb") as file:
                    whole = file.read(8) == b"\x89PNG\r\n\x1a\n"
                if whole:
                    found.append(path)
                else:
                    problems.append(f"figures/{path.name} is not a PNG image")
    if not found:
        problems.append("figures are missing: none was drawn yet")
    return found


def _parameters(path: Path, problems: list[str]) -> int | None:
    """Count the weights of a saved model, batch statistics included, optimizer and seeds not."""
    if not _present(path, problems, "no epoch was finished, or the model was moved"):
        return None
    import io

    import h5py  # type: ignore[import-untyped]

    with _surviving(path, problems):
        count = 0

        def add(name: str, item: Any) -> None:
            nonlocal count
            dtype = getattr(item, "dtype", None)
            if dtype is not None and dtype.kind != "u" and not name.startswith("optimizer/"):
                count += item.size

        with zipfile.ZipFile(path) as archive:
            check_expansion(archive)
            weights = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights, "r") as file:
            file.visititems(add)
        return count
    return None


def _date(path: Path, environment: dict[str, Any]) -> datetime | None:
    """Return when the run was started, or else the time of the newest file that it ends with."""
    try:
        return datetime.fromisoformat(str(environment["started"]))
    except (KeyError, ValueError):
        pass
    for name in ("metrics.json", "model.keras", "history.csv", "experiment.yaml"):
        try:
            return datetime.fromtimestamp((path / name).stat().st_mtime).astimezone()
        except OSError:
            continue
    return None
