"""A split that holds little: one class, one lens, one example, equal scores."""

import json

import numpy as np
import pytest

from lensnet.evaluation.invariance import rotation_report
from lensnet.evaluation.run_figures import figures_of_search, figures_of_truth
from lensnet.evaluation.split_results import measure_split
from lensnet.registry import tasks

pytestmark = pytest.mark.filterwarnings("error")

CLASSES = ("galaxy", "lens")
SPLITS = {
    "one class": ([1] * 6, np.linspace(0.2, 0.9, 6)),
    "ties": ([0, 1] * 20, np.full(40, 0.5)),
    "one lens": ([1] + [0] * 30, np.linspace(0.9, 0.1, 31)),
    "one example": ([1], [0.3]),
    "all right": ([0] * 10 + [1] * 10, np.r_[np.full(10, 0.1), np.full(10, 0.9)]),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_binary_split_that_holds_little(name):
    labels, scores = (np.asarray(values) for values in SPLITS[name])
    outputs = scores[:, None]
    task = tasks.get("binary")
    found = measure_split(task, labels, outputs, CLASSES, bootstrap=100, seed=0)
    json.dumps([found.metrics, found.undefined, found.intervals], allow_nan=False)
    assert set(found.undefined) == {key for key, value in found.metrics.items() if value is None}
    for key, (low, high) in found.intervals.items():
        assert low <= high and found.metrics[key] is not None
    figures_of_search(labels, outputs, CLASSES, 0.01)
    radius = {"einstein_radius_arcsec": np.linspace(0.5, 2, len(labels))}
    figures_of_truth(labels, outputs, radius, CLASSES)
    if name == "one lens":
        # Drawn again and again, it says nothing of another lens.
        assert "roc_auc" not in found.intervals and "log_loss" in found.intervals
    if name == "all right":
        low, high = found.intervals["accuracy"]
        assert (round(low, 3), high) == (0.832, 1.0)
        assert "roc_auc" not in found.intervals


def test_no_drawings_give_no_intervals():
    labels = np.arange(40) % 3
    outputs = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    task, classes = tasks.get("classification"), ("a", "b", "c")
    assert measure_split(task, labels, outputs, classes, bootstrap=0, seed=0).intervals == {}
    found = measure_split(task, labels, outputs, classes, bootstrap=100, seed=0)
    assert set(found.intervals) == set(found.metrics) - {"examples"}
    again = measure_split(task, labels, outputs, classes, bootstrap=100, seed=0)
    assert again.intervals == found.intervals


def test_a_class_absent_from_the_test_split_of_several():
    labels = np.arange(20) % 2
    outputs = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    task, classes = tasks.get("classification"), ("a", "b", "c")
    found = measure_split(task, labels, outputs, classes, bootstrap=100, seed=0)
    assert set(found.undefined) == {"roc_auc", "roc_auc_ovo", "f1"}
    assert found.undefined["f1"] == 'there is no image of "c"'
    assert set(found.intervals) == {"accuracy", "log_loss", "ece"}


def test_rotations_that_change_nothing_have_an_exact_interval():
    labels, scores = np.arange(40) % 2, np.linspace(0.1, 0.9, 40)
    task = tasks.get("binary")
    found = measure_split(task, labels, scores[:, None], CLASSES, bootstrap=100, seed=0)
    images = np.random.default_rng(0).uniform(size=(40, 6, 6, 1)).astype(np.float32)
    steady = found.with_rotations(rotation_report(lambda x: x.mean(axis=(1, 2)), images), 100, 0)
    assert steady.metrics["rotation_flip_rate"] == 0
    low, high = steady.intervals["rotation_flip_rate"]
    assert low == 0 and high == pytest.approx(1 - 0.025 ** (1 / 40))
    none = found.without_rotations("they are not square")
    assert none.metrics["rotation_std"] is None
    assert none.undefined["rotation_std"] == "they are not square"
