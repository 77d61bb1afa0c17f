"""Whether the data can be divided into the folds asked for, told before anything slow begins."""

from __future__ import annotations

from lensnet.config import Experiment
from lensnet.data.sources.folds import check_folds_listed
from lensnet.data.sources.source_factory import make_source

__all__ = ["check_folds"]


def check_folds(experiment: Experiment) -> None:
    """Lists the data of a cross-validation and counts each class; no image is read.

    Preparing the data would find the same, but only once TensorFlow is running.

    Raises:
        ConfigurationError: a class has fewer examples, or groups of them, than there are folds.
        DataError: the data cannot be listed.
    """
    folds = experiment.training.folds
    if folds is None:
        return
    source = make_source(
        experiment.dataset, experiment.dataset_options, experiment.source_dir, experiment.data.seed
    )
    check_folds_listed(source.list().examples, source.classes, folds)
