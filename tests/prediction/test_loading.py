import keras
import numpy as np
import pytest

import lensnet
from lensnet.errors import RunError


def test_a_run_and_its_file_are_the_same_model(tiny_run):
    images = np.random.default_rng(0).random((3, 32, 32, 1), "float32")
    one = lensnet.load(tiny_run).predict_on_batch(images)
    np.testing.assert_array_equal(
        lensnet.load(tiny_run / "model.keras").predict_on_batch(images), one
    )
    assert ((one > 0) & (one < 1)).all(), "probabilities"


def test_any_keras_model_can_be_loaded(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    assert lensnet.load(tmp_path / "m.keras").output_shape == (None, 2)


def test_no_such_run(tmp_path):
    with pytest.raises(RunError, match="There is no run folder or model file") as caught:
        lensnet.load(tmp_path / "none")
    assert caught.value.exit_code == 2


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="holds no experiment.yaml"):
        lensnet.load(tmp_path)


def test_a_run_whose_first_epoch_has_not_ended(tiny_run, tmp_path):
    (tmp_path / "experiment.yaml").write_text((tiny_run / "experiment.yaml").read_text())
    with pytest.raises(RunError, match="no epoch has ended"):
        lensnet.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a model file"):
        lensnet.load(path)


def test_a_model_with_foreign_code_in_it(tmp_path):
    """Keras refuses to run the code of a Lambda; we say so in one line."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(RunError, match="holds no model that can be read here"):
        lensnet.load(tmp_path / "m.keras")


def test_an_older_kind_of_file(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x89HDF\r\n")
    with pytest.raises(RunError, match="is not a model file"):
        lensnet.load(path)
