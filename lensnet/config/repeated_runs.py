"""The runs that an experiment stands for, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator

from lensnet.config.experiment import Experiment, Problem

__all__ = ["own_splits_problems", "repetition_problems", "runs_of"]


def runs_of(experiment: Experiment) -> dict[str, Experiment]:
    """Returns the experiments that an experiment stands for, by the names of their folders.

    Args:
        experiment: as it was read.

    Returns:
        one for each seed or fold, none of which stands for several; {} where the experiment is
        that of a single run.
    """
    return dict(_runs(experiment))


def _runs(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    training = experiment.training
    for seed in training.seeds or ():
        single = training.model_copy(update={"seeds": None})
        yield f"seed-{seed}", experiment.model_copy(update={"seed": seed, "training": single})
    if training.folds is not None and training.fold is None:
        for fold in range(training.folds):
            of_fold = training.model_copy(update={"fold": fold})
            yield f"fold-{fold}", experiment.model_copy(update={"training": of_fold})


def repetition_problems(experiment: Experiment) -> list[Problem]:
    """Lists where seeds and folds do not fit each other, the data or the devices."""
    training, found = experiment.training, list[Problem]()
    if training.seeds is not None and training.folds is not None:
        found.append(
            (
                ("training", "seeds"),
                "seeds and folds are not taken together, for their errors are of two kinds: leave "
                "one out, and repeat a cross-validation by --set seed=1 and another --run-dir",
            )
        )
    folds = training.folds
    if training.fold is not None and folds is None:
        found.append((("training", "fold"), "a fold is named, and training.folds says of none"))
    if training.fold is not None and folds is not None and training.fold >= folds:
        found.append(
            (
                ("training", "fold"),
                f"there is no fold {training.fold}: they are 0 to {folds - 1}",
            )
        )
    if training.folds is not None and experiment.data.splits is not None:
        found.append(
            (
                ("data", "splits"),
                f"training.folds divides the data into {training.folds} folds: leave data.splits "
                "out",
            )
        )
    key = "seeds" if training.seeds is not None else "folds"
    if training.strategy in ("multi_worker", "tpu") and runs_of(experiment):
        single = "seed=0" if key == "seeds" else "training.fold=0"
        found.append(
            (
                ("training", key),
                f"with strategy {training.strategy} each run is a command of its own: "
                f"{'leave seeds out, and ' if key == 'seeds' else ''}--set {single} and so on",
            )
        )
    return found


def own_splits_problems(experiment: Experiment, own: tuple[str, ...]) -> list[Problem]:
    """Lists that folds would mix the splits that the data bring."""
    if experiment.training.folds is None or not own:
        return []
    return [
        (
            ("training", "folds"),
            f"the data set brings its own splits ({', '.join(own)}), which folds would mix: leave "
            "it out",
        )
    ]
