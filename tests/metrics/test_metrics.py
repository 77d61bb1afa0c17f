"""What is measured while training, against scikit-learn; from logits, batch by batch."""

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score

from lensnet import metrics, registry
from lensnet.metrics import SoftmaxAUC

# Keras finds the area at 200 thresholds, between which it goes straight.
AUC_TOLERANCE = 5e-3


def examples(num_classes, count=4000):
    """Labels, and logits that know something of them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, count)
    logits = rng.normal(0, 1, (count, num_classes)) + np.eye(num_classes)[labels]
    return labels, logits.astype("float32")


def measured(task, num_classes, truth, outputs):
    """The results after two batches of unequal size."""
    made = metrics.create(registry.tasks.get(task), num_classes)
    for part in np.split(np.arange(len(truth)), [7]):
        for metric in made:
            metric.update_state(truth[part], outputs[part])
    return {metric.name: float(keras.ops.convert_to_numpy(metric.result())) for metric in made}


@pytest.mark.parametrize("num_classes", [2, 3])
def test_classification(num_classes):
    labels, logits = examples(num_classes)
    found = measured("classification", num_classes, np.eye(num_classes)[labels], logits)
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    areas = [roc_auc_score(labels == k, probabilities[:, k]) for k in range(num_classes)]
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, logits.argmax(axis=1)))
    assert found["auc"] == pytest.approx(np.mean(areas), abs=AUC_TOLERANCE)


def test_binary():
    """The threshold is at a logit of 0; its probability is one half."""
    labels, logits = examples(2)
    logit = logits[:, 1:] - logits[:, :1]
    found = measured("binary", 2, labels[:, None], logit)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, logit[:, 0] > 0))
    assert found["auc"] == pytest.approx(roc_auc_score(labels, logit[:, 0]), abs=AUC_TOLERANCE)


def test_regression():
    rng = np.random.default_rng(0)
    targets, outputs = rng.normal(size=(2, 4000, 1)).astype("float32")
    found = measured("regression", 0, targets, outputs)
    assert found == {"mae": pytest.approx(mean_absolute_error(targets, outputs), rel=1e-5)}


def test_the_area_is_saved_and_starts_again():
    metric = SoftmaxAUC(3, name="area")
    labels, logits = examples(3, count=300)
    metric.update_state(np.eye(3)[labels], logits)
    before = float(keras.ops.convert_to_numpy(metric.result()))
    saved = keras.saving.serialize_keras_object(metric)
    assert saved["registered_name"] == "lensnet>SoftmaxAUC"
    again = keras.saving.deserialize_keras_object(saved)
    assert again.get_config() == metric.get_config()
    metric.reset_state()
    for each in (metric, again):
        each.update_state(np.eye(3)[labels], logits)
        assert float(keras.ops.convert_to_numpy(each.result())) == pytest.approx(before)
