"""What cannot be scored is said before a model is loaded."""

import pytest

from lensnet.config import Experiment
from lensnet.errors import DataError
from lensnet.prediction.requests import check_inputs


def experiment(dataset, **data):
    return Experiment.model_validate(
        {
            "name": "asked",
            "task": "binary",
            "data": {"dataset": dataset, "source_dir": "images", **data},
            "model": {"backbone": "resnet18"},
        }
    )


@pytest.mark.parametrize("options", [{}, {"bands": ["g", "r"]}], ids=["whole", "bands"])
def test_a_table_for_a_run_that_was_trained_on_folders(tmp_path, options):
    table = tmp_path / "positions.csv"
    table.write_text("ra,dec\n150,2\n")
    with pytest.raises(DataError) as caught:
        check_inputs(experiment("image_folder", options=options), [table])
    words = str(caught.value)
    assert words.startswith("positions.csv is a table. This run was trained on image_folder: it")
    assert "takes image files (.npy" in words and "data.dataset: fits_catalog" in words
    assert ('(g, r) named like "{id}_{band}"' in words) is bool(options)
    assert words.endswith("Name the files or the folder that it is about.")


def test_what_a_run_takes_passes(tmp_path):
    table, notes, image = (tmp_path / name for name in ("t.csv", "notes.txt", "a.npy"))
    for path in (table, notes, image):
        path.write_text("")
    check_inputs(experiment("fits_catalog", options={"label_column": "kind"}), [table])
    # What is bad among others is listed in the quarantine.
    check_inputs(experiment("image_folder"), [notes, image])
    check_inputs(experiment("image_folder"), [tmp_path])
    with pytest.raises(DataError, match="notes.txt is not an image"):
        check_inputs(experiment("image_folder"), [notes])
    with pytest.raises(DataError, match="There is no file or folder"):
        check_inputs(experiment("image_folder"), [image, tmp_path / "gone.npy"])
