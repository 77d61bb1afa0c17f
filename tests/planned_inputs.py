"""Inputs of `lensnet predict` as they are read, without a network."""

from __future__ import annotations

import tempfile

from lensnet.config import Experiment
from lensnet.prediction.planning import Input, InputOptions, plan

__all__ = ["read_inputs"]


def read_inputs(
    inputs, shape, dataset="image_folder", options=None, source_dir="images", **understood
):
    """Returns all inputs in their order.

    Args:
        inputs: files, folders, tables.
        shape: (H, W, C) of the images that the network takes.
        dataset: that the run was trained on.
        options: its options, a dictionary or the object.
        source_dir: of the training.
        understood: what `InputOptions` takes.
    """
    if options is not None and not isinstance(options, dict):
        options = options.model_dump(exclude_defaults=True)
    experiment = Experiment.model_validate(
        {
            "name": "asked",
            "task": "binary",
            "data": {"dataset": dataset, "source_dir": str(source_dir), "options": options or {}},
            "model": {"backbone": "resnet18"},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        found = plan(
            experiment, shape, inputs, folder, by_tile=False, options=InputOptions(**understood)
        )
        return [
            Input.of(one)
            for number in range(found.partitions)
            for one in found.load(found.partition(number))
        ]
