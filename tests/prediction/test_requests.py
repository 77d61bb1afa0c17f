"""What cannot be scored, or written, is said before a model is loaded."""

import pytest

from lensnet.config import Experiment
from lensnet.errors import ConfigurationError, RunError
from lensnet.prediction.requests import ScoreFiles, what_is_taken


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
def test_what_a_run_takes_is_said(options):
    words = what_is_taken(experiment("image_folder", options=options))
    assert words.startswith("This run was trained on image_folder: it takes image files (.npy")
    assert ('(g, r) named like "{id}_{band}"' in words) is bool(options)


def test_scores_go_into_a_csv_file(tmp_path):
    for name in ("scores.fits", "scores.csv.gz", "scores"):
        with pytest.raises(ConfigurationError, match=r"does not end with \.csv\. Name") as caught:
            ScoreFiles.checked(tmp_path / name, overwrite=True)
        assert caught.value.exit_code == 2
    files = ScoreFiles.checked(tmp_path / "scores.CSV", overwrite=False)
    assert files.quarantine.name == "scores.quarantine.csv"
    files.quarantine.write_text("")
    with pytest.raises(RunError, match="scores.quarantine.csv exists already"):
        ScoreFiles.checked(tmp_path / "scores.csv", overwrite=False)
