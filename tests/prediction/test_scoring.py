import csv
import shutil

import numpy as np
import pytest

from lensnet.errors import DataError, RunError
from lensnet.prediction import Predictor, score_files


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_scores_are_those_of_the_test_split(tiny_run, image_folder, tmp_path):
    """The same files through `predict` as through `fit`."""
    count = score_files(tiny_run, [image_folder], tmp_path / "scores.csv")
    assert count == 60
    scores = {row["id"]: row for row in rows(tmp_path / "scores.csv")}
    predictions = rows(tiny_run / "predictions.csv")
    assert len(predictions) > 4
    for row in predictions:
        mine = scores[row["id"]]
        assert mine["predicted"] == row["predicted"]
        assert float(mine["score_ring"]) == pytest.approx(float(row["score_ring"]), abs=1e-5)
    assert not (tmp_path / "scores.quarantine.csv").exists()


def test_single_files_keep_their_order(tiny_run, image_folder, tmp_path):
    files = [image_folder / "ring" / "3.npy", image_folder / "blob" / "1.npy"]
    score_files(tiny_run, files, tmp_path / "scores.csv", batch_size=1)
    assert [row["file"] for row in rows(tmp_path / "scores.csv")] == [str(file) for file in files]


def test_bad_files_are_listed_and_the_rest_is_scored(tiny_run, image_folder, tmp_path):
    inputs = tmp_path / "inputs"
    shutil.copytree(image_folder / "ring", inputs)
    (inputs / "cut.npy").write_bytes((inputs / "0.npy").read_bytes()[:200])
    np.save(inputs / "large.npy", np.random.default_rng(0).random((40, 40)))
    score_files(tiny_run, [inputs], tmp_path / "scores.csv")
    assert len(rows(tmp_path / "scores.csv")) == 30
    quarantine = rows(tmp_path / "scores.quarantine.csv")
    bad = {row["file"].split("/")[-1]: row["reason"] for row in quarantine}
    assert set(bad) == {"cut.npy", "large.npy"}
    assert "(40, 40, 1)" in bad["large.npy"] and "(32, 32, 1)" in bad["large.npy"]


def test_nothing_usable_writes_no_scores(tiny_run, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    with pytest.raises(DataError, match="None of the 1 images could be used") as caught:
        score_files(tiny_run, [tmp_path / "bad.npy"], tmp_path / "scores.csv")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "scores.csv").exists()


def test_an_output_is_never_overwritten_unasked(tiny_run, image_folder, tmp_path):
    output = tmp_path / "scores.csv"
    output.write_text("a year's classifications")
    with pytest.raises(RunError, match="exists already. Replace it by --overwrite"):
        score_files(tiny_run, [image_folder], output)
    with pytest.raises(RunError, match="is not a table that lensnet has written"):
        score_files(tiny_run, [image_folder], output, overwrite=True)
    assert output.read_text() == "a year's classifications"
    output.write_text("id,file,predicted,score_blob,score_ring\n")
    score_files(tiny_run, [image_folder], output, overwrite=True)
    assert len(rows(output)) == 60


def test_missing_input_and_output_folder(tiny_run, image_folder, tmp_path):
    with pytest.raises(DataError, match="There is no file or folder"):
        score_files(tiny_run, [tmp_path / "none"], tmp_path / "scores.csv")
    with pytest.raises(RunError, match="There is no folder"):
        score_files(tiny_run, [image_folder], tmp_path / "none" / "scores.csv")


def test_the_predictor_takes_raw_images(tiny_run, image_folder):
    predictor = Predictor.open(tiny_run)
    image = np.load(image_folder / "ring" / "0.npy")
    # Normalised per image: another unit of flux is the same image.
    flux = np.stack([image, 1e-12 * image])[..., None]
    scores = predictor.scores(flux)
    assert scores.shape == (2, 2)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
