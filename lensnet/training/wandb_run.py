"""A run as Weights & Biases has it: its curves, and at its end its figures and its model."""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lensnet.config import Experiment
from lensnet.config.sections import WandB
from lensnet.csv_tables import read_dicts
from lensnet.errors import ConfigurationError
from lensnet.run_folder import RunFolder

__all__ = ["WandBRun", "wandb_run"]

_log = logging.getLogger(__name__)

# W&B's tables take 10,000 rows; a curve is as smooth with fewer.
_POINTS_OF_A_CURVE = 500
_MOST_ROWS = 10_000


@contextlib.contextmanager
def wandb_run(experiment: Experiment, run: RunFolder) -> Iterator[WandBRun | None]:
    """Has a run tracked by Weights & Biases while the block runs; gives None if nobody asks for it.

    Args:
        experiment: with `tracking.wandb`, and what is recorded as the configuration.
        run: its folder, where the package keeps its files.

    Raises:
        ConfigurationError: the package is not installed.
    """
    section = experiment.tracking.wandb
    if section is None:
        yield None
        return
    tracked = WandBRun(section, experiment, run)
    try:
        yield tracked
    except BaseException:
        # Marked as failed there; a resumed run goes on with it.
        tracked.remote.finish(exit_code=1)
        raise
    tracked.remote.finish()


class WandBRun:
    """A run of Weights & Biases.

    Args:
        section: `tracking.wandb`.
        experiment: what is recorded as the configuration.
        run: the run folder.

    Attributes:
        remote: the package's own run.

    Raises:
        ConfigurationError: the package is not installed.
    """

    def __init__(self, section: WandB, experiment: Experiment, run: RunFolder):
        try:
            import wandb
        except ImportError:
            raise ConfigurationError(
                "tracking.wandb needs the wandb package: pip install 'lensnet[wandb]', or set "
                "tracking.wandb to null."
            ) from None
        self.run = run
        self.remote: Any = wandb.init(
            project=section.project,
            entity=section.entity,
            mode=section.mode,
            name=experiment.name,
            id=_own_id(run.path / "wandb" / "run_id.txt"),
            resume="allow" if section.mode == "online" else None,
            config=experiment.model_dump(mode="json"),
            dir=str(run.path),
        )

    @property
    def callback(self) -> keras.callbacks.Callback:
        """Sends each epoch's values."""
        return _Scalars(self.remote)

    def log_results(self) -> None:
        """Sends what the run measured: metrics, confusion matrix and ROC, figures, and its model.

        What W&B cannot take is warned of: the run folder has it all.
        """
        import wandb

        try:
            metrics = self.run.read_json("metrics.json")
            for split in ("validation", "test"):
                for name, value in metrics[split].items():
                    self.remote.summary[f"{split}/{name}"] = value
            figures = {
                f"figures/{path.stem}": wandb.Image(str(path))
                for path in sorted(self.run.figures_dir.glob("*.png"))
            }
            self.remote.log({**figures, **self._charts()})
            self._log_model(metrics["test"])
        except (wandb.errors.Error, OSError) as error:
            _log.warning("Weights & Biases did not take the results: %s", error)

    def _charts(self) -> dict[str, Any]:
        """The confusion matrix and the ROC curves of the test split, of a task with classes."""
        import wandb

        classes = list(self.run.read_data().classes)
        if not classes:
            return {}
        rows = list(read_dicts(self.run.predictions_file))
        truth = np.array([classes.index(row["label"]) for row in rows])
        scores = np.array([[float(row[f"score_{name}"]) for name in classes] for row in rows])
        points = wandb.Table(
            columns=["class", "fpr", "tpr"], data=_roc_points(truth, scores, classes)
        )
        return {
            "test/confusion_matrix": wandb.plot.confusion_matrix(
                y_true=truth[:_MOST_ROWS].tolist(),
                preds=scores.argmax(axis=1)[:_MOST_ROWS].tolist(),
                class_names=classes,
                title="Confusion matrix",
            ),
            # As wandb.plot.roc_curve draws it, which needs pandas.
            "test/roc": wandb.plot_table(
                data_table=points,
                vega_spec_name="wandb/area-under-curve/v0",
                fields={"x": "fpr", "y": "tpr", "class": "class"},
                string_fields={
                    "title": "ROC",
                    "x-axis-title": "False positive rate",
                    "y-axis-title": "True positive rate",
                },
            ),
        }

    def _log_model(self, metrics: dict[str, Any]) -> None:
        import wandb

        name = re.sub(r"[^a-zA-Z0-9_.-]", "-", f"{self.remote.name}-model")[:128]
        known = {key: value for key, value in metrics.items() if value is not None}
        artifact = wandb.Artifact(name, type="model", metadata=known)
        for path in (self.run.model_file, self.run.experiment_file):
            artifact.add_file(str(path))
        self.remote.log_artifact(artifact)


class _Scalars(keras.callbacks.Callback):
    def __init__(self, remote: Any):
        super().__init__()
        self._remote = remote

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._remote.log({k: float(v) for k, v in (logs or {}).items()}, step=epoch + 1)


def _own_id(path: Path) -> str:
    """Returns what W&B knows a run by, the same for a run that is resumed."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex[:16], encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _roc_points(
    truth: np.ndarray, scores: np.ndarray, classes: list[str]
) -> list[tuple[str, float, float]]:
    """Returns (class, false positive rate, true positive rate) along the curve of each class."""
    from sklearn.metrics import roc_curve

    points = []
    for index, name in enumerate(classes):
        is_positive = truth == index
        if is_positive.all() or not is_positive.any():
            continue  # it has no curve
        rates = np.stack(roc_curve(is_positive, scores[:, index])[:2], axis=1)
        kept = np.unique(np.linspace(0, len(rates) - 1, _POINTS_OF_A_CURVE).round().astype(int))
        points += [(name, float(false), float(true)) for false, true in rates[kept]]
    return points
