"""A threshold for a run: its own splits, or labelled objects of the user's, and a survey."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lensnet.errors import ConfigurationError, DataError
from lensnet.purity.bounds import Claim
from lensnet.purity.choosing import ScoreSample
from lensnet.purity.finding import Features, Found, find_threshold
from lensnet.purity.samples import (
    class_looked_for,
    read_features,
    read_labelled,
    read_survey_scores,
    rounded,
    sample_of,
    split_sample,
)
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Request", "threshold_of_run"]


@dataclass(frozen=True)
class Request:
    """What is asked.

    Args:
        claim: what is to be true above the threshold. Without `objects` it gets those of `scores`.
        scores: a table of the survey's scores.
        calibration: a table of labelled objects, in place of the run's own splits.
        features: files of features, of the calibration and of the survey.
        class_name: which class is looked for; None for the second of two.
    """

    claim: Claim
    scores: Path | None = None
    calibration: Path | None = None
    features: tuple[Path, Path] | None = None
    class_name: str | None = None

    @property
    def needs_network(self) -> bool:
        """Whether the run's validation split must be scored first."""
        return self.calibration is None


def threshold_of_run(run: RunFolder, request: Request) -> Found:
    """Finds a threshold for the best model of a run.

    With the run's own splits the validation split chooses, and the test split, which nothing was
    chosen by, proves.

    Raises:
        ConfigurationError: the run has no such class.
        RunError: the run was not evaluated, or is damaged.
        DataError: a table or a file of features cannot serve.
    """
    classes = run.read_data().classes
    looked_for = class_looked_for(classes, request.class_name)
    claim, survey, features = request.claim, None, None
    if request.scores is not None:
        survey = read_survey_scores(request.scores, classes[looked_for])
        if claim.objects is None:
            claim = replace(claim, objects=len(survey))
    if request.features is not None:
        features = _features(request.features, classes[looked_for], classes)
    if request.calibration is not None:
        choosing, proving = read_labelled(request.calibration, classes, looked_for)
    else:
        proving = split_sample(run, looked_for)
        choosing = _validation_sample(run, looked_for)
    try:
        return find_threshold(choosing, proving, claim, survey, features)
    except ValueError as error:
        raise DataError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _validation_sample(run: RunFolder, looked_for: int) -> ScoreSample:
    """The scores of a run's validation split, which are worked out: no file has them."""
    from lensnet.evaluation.run_opening import load_run_model, open_run_data, split_outputs
    from lensnet.layers import accelerate
    from lensnet.registry import load_object

    model, data = accelerate(load_run_model(run)), open_run_data(run)
    columns = load_object(run.read_experiment().task_spec.columns)(data.classes)
    with split_outputs(model, data, "validation", keep_images=False) as (outputs, _):
        scores = rounded(columns.scores(outputs)[:, looked_for])
    is_positive = np.asarray(data.examples("validation").labels) == looked_for
    return sample_of(scores, is_positive, f"The validation split of {run.path}")


def _features(paths: tuple[Path, Path], name: str, classes: Sequence[str]) -> Features:
    calibration, labels = read_features(paths[0])
    survey, _ = read_features(paths[1])
    if labels is None:
        raise ConfigurationError(
            f"{paths[0]} has no labels. The first file of features is of a labelled split: "
            "lensnet embed RUN --split test -o calibration.npz."
        )
    if not set(labels) <= set(classes):
        raise DataError(f"{paths[0]} has labels that are not classes of the run.")
    return Features(calibration, np.array([label == name for label in labels]), survey)
