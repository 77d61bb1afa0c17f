"""The experiment file of the next round."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lensnet.config import Experiment
from lensnet.config.documents import dump
from lensnet.datasets.graded.options import NAME, BaseData, Options
from lensnet.errors import ConfigurationError
from lensnet.run_folder import RunFolder

__all__ = ["EPOCHS_SHARE", "RATE_SHARE", "base_data", "next_experiment"]

RATE_SHARE = 0.3
"""The learning rate of the next round, as a share of the run's."""

EPOCHS_SHARE = 0.5
"""Its epochs, likewise."""

_HEAD = """\
# Written by `lensnet learn`: the experiment of {run}, whose network
# goes on from its weights with {count} graded candidates beside its old training images.
"""


def base_data(experiment: Experiment) -> dict[str, Any]:
    """Returns what the candidates are added to, as `data.options.base` has it.

    Args:
        experiment: the run's, with every default written out.

    Raises:
        ConfigurationError: its data cannot be added to.
    """
    data = experiment.data
    options = experiment.dataset_options
    if isinstance(options, Options):
        return options.known_base.model_dump(mode="json", exclude_none=True)
    if data.example_weights is not None:
        raise ConfigurationError(
            f'The run weighs its images by "{data.example_weights}" (data.example_weights), which '
            "cannot be kept when candidates are added. Train it without."
        )
    found = {
        "dataset": data.dataset,
        "source_dir": data.source_dir,
        "options": options.model_dump(mode="json"),
        "splits": None if data.splits is None else data.splits.model_dump(mode="json"),
        "seed": data.seed,
        "stratify": data.stratify,
        "folds": experiment.training.folds,
        "fold": experiment.training.fold,
    }
    if found["folds"] is not None:
        found["fold"] = found["fold"] or 0
    found = {key: value for key, value in found.items() if value is not None}
    try:
        BaseData.model_validate(found)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"Candidates cannot be added to the run's data: {reason}."
        ) from None
    return found


def next_experiment(run: RunFolder, name: str, folder: Path, held_out: float, count: int) -> str:
    """Returns the experiment of the next round, as YAML that is based on the run's.

    Args:
        run: the run that is learned on from.
        name: of the next.
        folder: that of the candidates, in which the file will lie.
        held_out: share of candidates that are held out.
        count: how many candidates there are, for the first line.
    """
    experiment = run.read_experiment()
    inherited = os.path.relpath(run.experiment_file.resolve(), folder.resolve())
    content = {
        "base": inherited,
        "name": name,
        "data": {
            "dataset": NAME,
            "source_dir": str(folder.resolve()),
            "options": {"base": base_data(experiment), "held_out": held_out},
            "splits": None,
            "fresh": False,
            "example_weights": "weight",
        },
        "model": {"weights": str(run.require_model().resolve())},
        "training": _training(experiment),
    }
    return _HEAD.format(run=run.path, count=count) + dump(content)


def _training(experiment: Experiment) -> dict[str, Any]:
    """Fewer epochs at a lower rate, without a warm-up, from weights that are good already.

    A round after the first is trained as the first was.
    """
    training = experiment.training
    epochs, rate = training.epochs, training.optimizer.learning_rate
    if experiment.data.dataset != NAME:
        epochs = max(1, math.ceil(EPOCHS_SHARE * epochs))
        rate = float(f"{RATE_SHARE * rate:.3g}")
    found: dict[str, Any] = {"epochs": epochs, "optimizer": {"learning_rate": rate}}
    if training.schedule.name != "constant":
        found["schedule"] = {"name": "cosine", "warmup_epochs": 0, "decay_epochs": None}
    elif training.schedule.warmup_epochs:
        found["schedule"] = {"warmup_epochs": 0}
    if (getattr(training.weight_averaging, "start_epoch", None) or 0) > epochs:
        found["weight_averaging"] = {"start_epoch": None}
    for key in ("steps_per_epoch", "seeds", "folds", "fold"):
        if getattr(training, key) is not None:
            found[key] = None
    return found
