"""What earlier versions saved loads, and answers as it did: see the README beside this file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import lensnet

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["plain", "d4", "averaged_rot4"])
def test_a_model_of_an_earlier_version_answers_as_it_did(name: str) -> None:
    answers = np.load(HERE / "answers.npz")
    model = keras.models.load_model(HERE / f"{name}.keras", compile=False)
    # In one graph where each operation would be compiled by itself.
    call = model.predict_on_batch if keras.backend.backend() == "jax" else model
    actual = keras.ops.convert_to_numpy(call(answers["images"]))
    # Another processor adds in another order.
    np.testing.assert_allclose(actual, answers[name], rtol=0, atol=1e-6 * np.abs(actual).max())


def test_the_model_of_an_earlier_run_answers_as_it_did(tmp_path: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("A run is scored by TensorFlow.")
    import csv

    from lens_images import write_folder

    from lensnet.prediction import Predictor

    folder = write_folder(tmp_path / "lenses", per_class=15)
    with (HERE / "run" / "predictions.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    images = np.stack([np.load(folder / f"{row['id']}.npy") for row in rows])[..., None]
    expected = np.array([[float(row["score_ring"])] for row in rows])
    np.testing.assert_allclose(Predictor.open(HERE / "run")(images), expected, atol=1e-6)
    assert isinstance(lensnet.load(HERE / "run"), keras.Model)
