"""`lensnet explain` of a run."""

import numpy as np
import pytest

from lensnet.errors import DataError
from lensnet.explanation import explain_inputs, explain_test
from lensnet.explanation.explaining import choose
from lensnet.explanation.page import draw_explanations, write_explanation_page


def test_files_are_explained_on_a_page(tiny_run, image_folder, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"no image")
    inputs = [tmp_path / "bad.npy", image_folder / "ring"]
    found = explain_inputs(tiny_run, inputs, 2)
    assert len(found.images) == 2 and len(found.bad) == 1
    first = found.images[0]
    assert first.seen.shape == (32, 32) and first.fall.shape == (12, 12) and first.truth is None
    page = write_explanation_page(found, tmp_path / "page.html").read_text()
    assert "Grad-CAM of stage two" in page and "bad.npy" in page and "data:image/png" in page
    with pytest.raises(DataError, match="None of the 1 images"):
        explain_inputs(tiny_run, [tmp_path / "bad.npy"], 2)


def test_test_images_are_explained_with_their_classes(tiny_run):
    found = explain_test(tiny_run, 3)
    assert len(found.images) == 3 and found.of == "12 test images, the surest errors first"
    assert {one.truth for one in found.images} <= {"blob", "ring"}
    assert list(draw_explanations(found)) == ["explanation"]


def test_errors_come_first_and_hits_of_each_class_in_turn():
    labels = np.array([0, 0, 0, 1, 1, 1])
    ring = np.array([0.1, 0.2, 0.9, 0.95, 0.8, 0.4])
    scores = np.stack([1 - ring, ring], axis=1)
    # The errors are 2 (0.9 for the wrong class) and 5 (0.6).
    assert choose(labels, scores, 4, classes=True).tolist() == [2, 5, 3, 0]
    assert choose(labels, scores, 2, classes=True).tolist() == [2, 3]
    assert sorted(choose(labels, scores, 99, classes=True)) == [0, 1, 2, 3, 4, 5]
    targets, given = np.array([1.0, 2.0, 3.0]), np.array([[1.5], [2.1], [9.0]])
    assert choose(targets, given, 2, classes=False).tolist() == [2, 1]
    assert choose(targets, given, 9, classes=False).tolist() == [2, 0, 1]
