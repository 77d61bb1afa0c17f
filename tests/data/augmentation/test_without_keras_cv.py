"""keras-cv gets no more releases: where it cannot be imported, all else works."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from lensnet.config.augmentation import Augmentation
from lensnet.data import prepare
from lensnet.data.augmentation.augmenter import augmenter, check_libraries, stateless_random
from lensnet.errors import ConfigurationError

IMAGES = np.random.default_rng(0).random((4, 10, 10, 2), dtype=np.float32)
LABELS = np.eye(4, dtype=np.float32)


@pytest.fixture(autouse=True)
def blocked(monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] == "keras_cv" or name.endswith("keras_cv_augmentation"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "keras_cv", None)


@pytest.mark.parametrize("name", ["grid_mask", "fourier_mix"])
def test_what_it_makes_is_refused_in_one_line(name):
    chosen = [Augmentation.model_validate("flip"), Augmentation.model_validate(name)]
    for refused in (lambda: check_libraries(chosen), lambda: augmenter(chosen, (10, 10, 2))):
        with pytest.raises(ConfigurationError, match="pip install keras-cv") as caught:
            refused()
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    "flip rotate90 rotate shift zoom noise blur band_dropout random_erasing rand_augment mixup "
    "cutmix".split(),
)
def test_all_else_works(name):
    chosen = [Augmentation.model_validate(name)]
    check_libraries(chosen)
    seeds = stateless_random.mix(2, tf.range(4))
    images, labels = augmenter(chosen, (10, 10, 2))(IMAGES, LABELS, seeds)
    assert images.shape == IMAGES.shape and labels.shape == LABELS.shape
    assert np.isfinite(images).all()


def test_data_are_prepared_and_measured(write_folder, make_experiment):
    """Only a training needs what augments; a run that had it can be measured without."""
    data = prepare(make_experiment(write_folder({"a": 20, "b": 20}), augmentation=["grid_mask"]))
    assert next(iter(data.batches("test", 2)))[0].shape == (2, 8, 8, 1)
    with pytest.raises(ConfigurationError, match="pip install keras-cv"):
        data.training_batches(8, epochs=1)
