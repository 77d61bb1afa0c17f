"""Numbers that cannot be said have a reason, and numbers that flatter a warning."""

import numpy as np

from lensnet.evaluation.caveats import warnings_of_classes, warnings_of_targets, why_undefined
from lensnet.evaluation.metrics import binary_metrics, classification_metrics, regression_metrics

CLASSES = ["galaxy", "quasar"]


def test_why_a_metric_of_a_finder_has_no_value():
    labels = np.array([0] * 6 + [1] * 6)
    metrics = binary_metrics(labels, np.linspace(0, 1, 12))
    reasons = why_undefined(metrics, labels, CLASSES)
    assert reasons == {
        name: f'it needs {needed} images of "galaxy", and there are 6'
        for name, needed in (
            ("tpr10", "10"),
            ("tpr_at_fpr_1e-2", "100"),
            ("tpr_at_fpr_1e-3", "1,000"),
            ("tpr_at_fpr_1e-4", "10,000"),
        )
    }
    labels = np.ones(4, int)
    reasons = why_undefined(binary_metrics(labels, np.full(4, 0.4)), labels, CLASSES)
    rates = {f"tpr_at_fpr_1e-{digit}" for digit in (2, 3, 4)}
    assert set(reasons) == {"roc_auc", "f1", "tpr0", "tpr10", "average_precision"} | rates
    assert set(reasons.values()) == {'there is no image of "galaxy"'}


def test_every_class_without_an_image_is_named():
    labels = np.array([1, 1])
    metrics = classification_metrics(labels, np.full((2, 3), 1 / 3))
    reasons = why_undefined(metrics, labels, ["no", "sphere", "vort"])
    assert reasons["roc_auc"] == 'there is no image of "no" or of "vort"'


def test_why_a_metric_of_a_regression_has_no_value():
    for targets, reason in (
        ([], "there is no image"),
        ([1.0], "it needs two images, and there is one"),
        ([1.0, 1.0], "all targets are equal"),
    ):
        truth = np.array(targets)
        assert why_undefined(regression_metrics(truth, truth), truth, ())["r2"] == reason
    truth = np.array([1.0, 2.0])
    assert why_undefined(regression_metrics(truth, truth), truth, ()) == {}


def test_a_network_that_calls_everything_one_class():
    """It ranks well, and its accuracy is that of a coin."""
    labels = np.array([0, 1] * 10)
    scores = np.where(labels, 0.9, 0.8)[:, None]
    assert binary_metrics(labels, scores)["roc_auc"] == 1
    (words,) = warnings_of_classes(labels, scores, CLASSES)
    assert words.startswith('The network calls each of the 20 test images "quasar"')
    assert "right for 10" in words and "lens" not in words


def test_a_network_no_better_than_the_largest_class():
    labels = np.array([0] * 18 + [1] * 2)
    scores = np.full((20, 1), 0.1)
    scores[[0, 18]] = 0.9  # one found, one false alarm
    (words,) = warnings_of_classes(labels, scores, CLASSES)
    assert "right on 18 of 20" in words and 'always answering "galaxy" (right on 18)' in words
    scores[0] = 0.1
    assert warnings_of_classes(labels, scores, CLASSES) == []


def test_three_classes():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert warnings_of_classes(labels, np.eye(3)[labels], "abc") == []
    (words,) = warnings_of_classes(labels, np.eye(3)[[1, 2, 2, 2, 1, 2]], "abc")
    assert "right on 1 of 6" in words and 'always answering "a"' in words


def test_images_of_one_class_compare_nothing():
    assert warnings_of_classes(np.array([1, 1]), np.array([[0.9], [0.8]]), CLASSES) == []


def test_a_regression_no_better_than_the_mean():
    truth = np.array([11.0, 12.0, 13.0])
    assert warnings_of_targets(truth, truth[:, None] + 0.1, ()) == []
    for guess in (np.full((3, 1), 12.0), np.array([[13.0], [12.0], [11.0]])):
        (words,) = warnings_of_targets(truth, guess, ())
        assert "no better than always answering the mean of the test targets" in words
    assert warnings_of_targets(np.ones(3), np.zeros((3, 1)), ()) == []
