"""What `data.fresh` needs, and what it goes together with."""

from __future__ import annotations

from lensnet import registry
from lensnet.config.experiment import Experiment, Problem

__all__ = ["fresh_problems"]


def fresh_problems(experiment: Experiment) -> list[Problem]:
    """Lists what does not fit `data.fresh`: `((key, ...), message)` for each problem.

    Args:
        experiment: as it was read.
    """
    data, steps = experiment.data, ("training", "steps_per_epoch")
    if not data.fresh:
        if experiment.training.steps_per_epoch is None:
            return []
        return [
            (
                steps,
                "an epoch is all of the training split, unless new images are simulated for each: "
                "set data.fresh, or leave it out",
            )
        ]
    if data.dataset not in registry.datasets.names():
        return []  # which is named by itself
    if experiment.dataset.simulator is None:
        every = map(registry.datasets.get, registry.datasets.names())
        simulated = ", ".join(spec.name for spec in every if spec.simulator is not None)
        return [
            (
                ("data", "fresh"),
                f'"{data.dataset}" reads files, of which there are no new ones every epoch. Leave '
                f"it out, or use a simulated data set: {simulated}",
            )
        ]
    found: list[Problem] = []
    if data.balance != "none":
        found.append(
            (
                ("data", "balance"),
                "with data.fresh as many images of each class are simulated: leave it out",
            )
        )
    if data.example_weights is not None:
        found.append(
            (
                ("data", "example_weights"),
                "weights are of prepared images, and with data.fresh those of training are not: "
                "leave it out",
            )
        )
    if experiment.training.folds is not None:
        found.append(
            (
                ("training", "folds"),
                "folds divide prepared images, and with data.fresh those of training are not: use "
                "training.seeds",
            )
        )
    if data.splits is not None and not data.splits.are_fractions:
        found.append(
            (
                ("data", "splits"),
                "slices divide prepared images, and with data.fresh those of training are not: "
                "use fractions",
            )
        )
    return found
