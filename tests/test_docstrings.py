"""Every example in a docstring runs."""

import doctest
import importlib
import os
import pkgutil

import pytest

import lensnet

# Levels 0 to 2 of the design, which need no TensorFlow.
LOWER = ("lensnet.symmetry", "lensnet.registry", "lensnet.errors", "lensnet.config")
LOWER += ("lensnet.layers", "lensnet.losses", "lensnet.metrics", "lensnet.optimizers")
LOWER += ("lensnet.schedules", "lensnet.models", "lensnet.files", "lensnet.progress")


def modules():
    names = [
        module.name
        for module in pkgutil.walk_packages(lensnet.__path__, "lensnet.")
        if not module.name.endswith("_dataset_builder")
    ]
    if os.environ.get("LENSNET_BLOCK_TENSORFLOW"):
        names = [name for name in names if name.startswith(LOWER)]
    return names


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
