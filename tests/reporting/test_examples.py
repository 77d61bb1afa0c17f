"""The examples in the docstrings run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["content", "figure_captions", "metric_guide", "report", "run_folder"]
)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(f"lensnet.reporting.{name}")
    assert doctest.testmod(module).failed == 0
