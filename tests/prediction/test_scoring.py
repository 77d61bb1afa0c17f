import csv
import os
import shutil

import numpy as np
import pytest

from lensnet.csv_tables import name_from_text, read_dicts
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
    assert {row["status"] for row in scores.values()} == {"ok"}


def test_single_files_keep_their_order(tiny_run, image_folder, tmp_path):
    files = [image_folder / "ring" / "3.npy", image_folder / "blob" / "1.npy"]
    score_files(tiny_run, files, tmp_path / "scores.csv", batch_size=1)
    assert [row["file"] for row in rows(tmp_path / "scores.csv")] == [str(file) for file in files]


def test_a_bad_file_is_a_row_with_its_reason(tiny_run, image_folder, tmp_path):
    inputs = tmp_path / "inputs"
    shutil.copytree(image_folder / "ring", inputs)
    (inputs / "cut.npy").write_bytes((inputs / "0.npy").read_bytes()[:200])
    np.save(inputs / "large.npy", np.random.default_rng(0).random((40, 40)))
    assert score_files(tiny_run, [inputs], tmp_path / "scores.csv") == 30
    scored = {row["id"]: row for row in rows(tmp_path / "scores.csv")}
    assert len(scored) == 32
    bad = {name: row["status"] for name, row in scored.items() if row["status"] != "ok"}
    assert set(bad) == {"cut", "large"}
    assert "(40, 40, 1)" in bad["large"] and "(32, 32, 1)" in bad["large"]
    assert {scored["cut"][name] for name in ("predicted", "score_ring", "filled_pixels")} == {""}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["scores.csv"]


def test_names_that_are_not_text_and_names_that_are_formulas(tiny_run, image_folder, tmp_path):
    """All are scored; the tables hold no formula, and every name reads back to its file."""
    names = [
        b"good.npy",
        b"\xff.npy",
        b"=cmd.npy",
        b"@SUM(1).npy",
        b"-2.npy",
        b"+1.npy",
        b"\tt.npy",
    ]
    names += ["héllo.npy".encode(), b"two\nlines.npy", b"a\rb.npy", rb"\xff.npy"]
    folder = os.fsencode(tmp_path / "inputs")
    os.mkdir(folder)
    for name in names:
        shutil.copyfile(image_folder / "ring" / "0.npy", os.path.join(folder, name))
    for name in (b"\xfe.npy", b"=bad.npy"):
        with open(os.path.join(folder, name), "wb"):
            pass
    assert score_files(tiny_run, [os.fsdecode(folder)], tmp_path / "scores.csv") == len(names)
    table = list(read_dicts(tmp_path / "scores.csv"))
    scored = [row for row in table if row["status"] == "ok"]
    assert len(scored) == len(names)
    assert {os.fsencode(name_from_text(row["file"])) for row in scored} == {
        os.path.join(folder, name) for name in names
    }
    assert {os.fsencode(name_from_text(row["id"])) + b".npy" for row in scored} == set(names)
    bad = [row["file"] for row in table if row["status"] != "ok"]
    assert {os.path.basename(os.fsencode(name_from_text(file))) for file in bad} == {
        b"\xfe.npy",
        b"=bad.npy",
    }
    with open(tmp_path / "scores.csv", encoding="utf-8", newline="") as stream:
        assert not any(
            cell[:1] in "=+-@\t\r\n" for row in csv.reader(stream) for cell in row if cell
        )


def test_nothing_usable_writes_no_scores(tiny_run, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    with pytest.raises(DataError, match="None of the 1 images could be used") as caught:
        score_files(tiny_run, [tmp_path / "bad.npy"], tmp_path / "scores.csv")
    assert caught.value.exit_code == 3
    assert "bad.npy: " in str(caught.value)
    assert "trained on image_folder: it takes image files" in str(caught.value)
    # Nothing stands in the way of the corrected command.
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npy"]


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


def test_the_spread_over_turns_and_reflections(tiny_run, image_folder, tmp_path):
    """As the network itself has it; the scores are those of the images as they are."""
    files = [image_folder / "ring" / f"{number}.npy" for number in range(5)]
    score_files(tiny_run, files, tmp_path / "scores.csv", uncertainty="rotations")
    predictor = Predictor.open(tiny_run)
    images = np.stack([np.load(file) for file in files])[..., None]
    turned = [np.rot90(side, k, (1, 2)) for side in (images, images[:, :, ::-1]) for k in range(4)]
    ways = np.stack([predictor.scores(image) for image in turned])
    for number, row in enumerate(rows(tmp_path / "scores.csv")):
        assert float(row["score_ring"]) == pytest.approx(ways[0, number, 1], abs=1e-5)
        assert float(row["uncertainty"]) == pytest.approx(ways[:, number, 1].std(), abs=1e-5)
    assert ways[:, :, 1].std(axis=0).max() > 1e-6, "c4 does not know reflections"


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
    # One image, with and without its channel axis, in a batch without it, and by its name.
    path = image_folder / "ring" / "0.npy"
    for given in (image, image[..., None], image[None], path, str(path), [path]):
        np.testing.assert_allclose(predictor.scores(given), scores[:1], atol=1e-5)
    other = image_folder / "blob" / "1.npy"
    assert predictor([path, other]).shape == (2, 1)


def test_the_predictor_says_which_images_it_takes(tiny_run, image_folder, tmp_path):
    predictor = Predictor.open(tiny_run)
    words = r"32 x 32 pixels and 1 band: one, shape \(32, 32, 1\), a batch of them"
    for wrong in (
        np.zeros((40, 40)),
        np.zeros((2, 32, 32, 3)),
        np.zeros(7),
        ["a", 3],
        [[1], [2, 3]],
    ):
        with pytest.raises(DataError, match=words):
            predictor(wrong)
    with pytest.raises(DataError, match=r"np.moveaxis\(images, -3, -1\)"):
        predictor(np.zeros((2, 1, 32, 32)))
    with pytest.raises(DataError, match="score_files scores folders"):
        predictor(image_folder)
    np.save(tmp_path / "large.npy", np.random.default_rng(0).random((40, 40)))
    with pytest.raises(DataError, match=r"large.npy: shape \(40, 40, 1\), the network takes"):
        predictor(tmp_path / "large.npy")
    with pytest.raises(DataError, match="There is no file or folder"):
        predictor("gone.npy")
