"""`lensnet embed` of a run: the file, the lists, the page and the report."""

import json
import shutil

import numpy as np
import pytest

from lensnet.csv_tables import read_dicts
from lensnet.embedding import embed_images
from lensnet.embedding.embedding import Request
from lensnet.embedding.feature_file import FeatureFile, check_feature_file
from lensnet.embedding.page import draw_embedding, write_embedding_page
from lensnet.errors import ConfigurationError, DataError, RunError

EVIL = "<img src=x onerror=alert(1)>=cmd().npy"


def test_files_become_rows_and_bad_ones_are_listed(tiny_run, image_folder, tmp_path):
    inputs = tmp_path / "inputs"
    shutil.copytree(image_folder / "ring", inputs)
    shutil.copy(inputs / "0.npy", inputs / EVIL)
    (inputs / "cut.npy").write_bytes((inputs / "0.npy").read_bytes()[:200])
    query = image_folder / "ring" / "3.npy"
    request = Request(inputs=[inputs], neighbours_of=query, count=4, batch_size=8)
    found = embed_images(tiny_run, request, tmp_path / "features.npz")
    file = np.load(tmp_path / "features.npz")
    assert file["features"].shape == (31, found.dimensions) and found.images == 31
    assert file["scores"].shape == (31, 2)
    assert file["score_names"].tolist() == ["score_blob", "score_ring"]
    assert set(file["predicted"]) <= {"blob", "ring"}
    assert "label" not in file and len(set(file["id"])) == 31
    assert json.loads(str(file["lensnet_features"]))["run"] == str(tiny_run)
    bad = list(read_dicts(tmp_path / "features.quarantine.csv"))
    assert [row["file"].rpartition("/")[2] for row in bad] == ["cut.npy"]
    # The nearest is the same image under another name; each is as far as NumPy says.
    files = [name.rpartition("/")[2] for name in file["file"].tolist()]
    units = file["features"] / np.linalg.norm(file["features"], axis=1, keepdims=True)
    expected = np.sort(np.linalg.norm(units - units[files.index("3.npy")], axis=1))[:4]
    np.testing.assert_allclose([distance for distance, _ in found.neighbours], expected, atol=1e-3)
    assert found.neighbours[0][1].name.endswith("/3.npy")
    page = write_embedding_page(found, tmp_path / "page.html").read_text()
    assert "Nearest neighbours" in page and "cut.npy" in page and "data:image/png" in page
    assert "<img src=x" not in page


def test_the_query_is_not_its_own_neighbour(tiny_run, image_folder, tmp_path):
    query = image_folder / "ring" / "3.npy"
    request = Request(inputs=[image_folder / "ring"], neighbours_of=query, count=2)
    found = embed_images(tiny_run, request, tmp_path / "features.npz")
    assert all(item.name != str(query) for _, item in found.neighbours)


def test_a_split_has_labels_and_outliers(tiny_run, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    request = Request(split="test", outliers=True, count=2)
    found = embed_images(tiny_run, request, tmp_path / "features.parquet")
    table = parquet.read_table(tmp_path / "features.parquet").to_pydict()
    predictions = list(read_dicts(tiny_run / "predictions.csv"))
    assert table["id"] == [row["id"] for row in predictions]
    assert table["label"] == [row["label"] for row in predictions]
    assert table["predicted"] == [row["predicted"] for row in predictions]
    given = [float(row["score_ring"]) for row in predictions]
    np.testing.assert_allclose(table["score_ring"], given, atol=1e-5)
    assert np.array(table["features"]).shape == (len(given), found.dimensions)
    largest = sorted(table["outlier_distance"], reverse=True)[:2]
    np.testing.assert_allclose([distance for distance, _ in found.outliers], largest, rtol=1e-5)
    assert found.reference == 36 and min(largest) > 0
    assert list(draw_embedding(found)) == ["embedding_map", "embedding_outliers"]


def test_nothing_usable_writes_nothing(tiny_run, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    with pytest.raises(DataError, match="None of the 1 images could be used"):
        embed_images(tiny_run, Request(inputs=[tmp_path / "bad.npy"]), tmp_path / "features.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npy"]


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"Name the output features\.npz"):
        check_feature_file(tmp_path / "features.csv", overwrite=False)
    with pytest.raises(RunError, match="There is no folder"):
        check_feature_file(tmp_path / "none" / "features.npz", overwrite=False)
    other = tmp_path / "mine.npz"
    np.savez(other, features=np.zeros(3))
    with pytest.raises(RunError, match="exists already"):
        check_feature_file(other, overwrite=False)
    with pytest.raises(RunError, match="is not a file of features that lensnet has written"):
        check_feature_file(other, overwrite=True)
    own = FeatureFile(tmp_path / "own.npz", ["score"], {})
    with own.writing() as writer:
        writer.write({"id": ["a"]}, np.zeros((1, 1)), np.zeros((1, 3), "float32"))
    check_feature_file(own.path, overwrite=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lensnet\[parquet\]'"):
        check_feature_file(tmp_path / "features.parquet", overwrite=False)


def test_an_ensemble_is_refused(tiny_run, tmp_path):
    run = tmp_path / "ensemble"
    shutil.copytree(tiny_run, run)
    (run / "ensemble.json").write_text("{}")
    with pytest.raises(RunError, match="is an ensemble"):
        embed_images(run, Request(split="test"), tmp_path / "features.npz")
