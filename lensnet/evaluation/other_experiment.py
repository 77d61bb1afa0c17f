"""A run's experiment on other data, read and checked before any framework is imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lensnet.config import Experiment
from lensnet.config.inheritance import with_bases
from lensnet.config.loading import read_document, validate
from lensnet.errors import ConfigurationError, DataError
from lensnet.run_documents import DataDescription
from lensnet.run_folder import RunFolder

__all__ = ["check_classes", "read_other_data", "source_of"]

# What the run's own preprocessing says, whatever the other file does.
_OF_THE_INPUT = (
    *("crop", "image_size", "repeat_channels", "normalization"),
    *("target_transform", "balance", "augmentation"),
)
# What would divide the data, or makes more of them, for a training.
_OF_THE_SPLITS = ("seeds", "folds", "fold", "steps_per_epoch")


def read_other_data(run: RunFolder, path: Path) -> Experiment:
    """Reads the section `data` of another file, and gives a run's experiment on these data.

    How images become the network's input stays as the run has it.

    Args:
        run: the run.
        path: an experiment file, or any YAML with a section `data`. Its `name`, or else the
            file's, is that under which results are kept.

    Raises:
        ConfigurationError: the file is wrong.
        DataError: the data have other classes than the run, or are missing.
    """
    document = with_bases(read_document(path), path, read_document)
    own = run.read_experiment()
    content = document.content if isinstance(document.content, dict) else {}
    data = content.get("data")
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} has no section `data`: it is to name other test images.")
    kept = own.model_dump(mode="json")
    name = str(content.get("name") or re.sub(r"[^\w.+-]", "-", path.stem))
    input_keys = {key: kept["data"][key] for key in _OF_THE_INPUT}
    document.content = {
        **kept,
        "name": name,
        "data": {**data, **input_keys, "fresh": False},
        # None of these splits is trained on.
        "training": {**kept["training"], **dict.fromkeys(_OF_THE_SPLITS)},
    }
    experiment = validate(document)
    # Told before any image is read.
    check_classes(experiment.layout.classes, run.read_data(), run)
    return experiment


def check_classes(classes: tuple[str, ...], known: DataDescription, run: RunFolder) -> None:
    """Checks that data have a run's classes.

    Args:
        classes: those of the data; () where they are not known yet.
        known: what the run was trained on.
        run: the run, for the message.

    Raises:
        DataError: they have others.
    """
    if classes and classes != known.classes:
        raise DataError(
            f"The data have the classes {', '.join(classes)}, and the run {run.path} knows "
            f"{', '.join(known.classes) or 'none'}. They must be the same, in the same order: name "
            "the folders, or the labels, as the run's."
        )


def source_of(experiment: Experiment) -> dict[str, Any]:
    """Returns what decides which images there are."""
    folder = experiment.source_dir
    return {
        "dataset": experiment.data.dataset,
        "options": experiment.dataset_options.model_dump(),
        "source_dir": folder.resolve() if folder is not None else None,
    }
