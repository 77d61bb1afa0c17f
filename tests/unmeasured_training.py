"""Trainings as `fit` does them, without what it measures and draws afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lensnet.config import Experiment
from lensnet.data import prepare
from lensnet.interruption import Interruption
from lensnet.run_folder import RunFolder
from lensnet.training import learning
from lensnet.training.devices import create_strategy
from lensnet.training.opening import complete_folder

__all__ = ["train_unmeasured"]


def train_unmeasured(content: dict[str, Any], path: Path | str, *, resuming: bool = False) -> Path:
    """Trains what an experiment says into a run folder, or goes on there; returns the folder."""
    experiment = Experiment.model_validate(content)
    data = prepare(experiment)
    run = RunFolder(Path(path)) if resuming else RunFolder.create(Path(path))
    with run.held("lensnet fit") as held:
        complete_folder(run, experiment.resolved(data.splits), data)
        strategy = create_strategy(experiment.training.strategy)
        learning.train(experiment, data, run, strategy, held, Interruption(), resuming=resuming)
    return run.path
