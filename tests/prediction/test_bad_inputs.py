"""What is said where nothing can be scored."""

import pytest

from lensnet.config import Experiment
from lensnet.prediction.bad_inputs import what_is_taken


@pytest.mark.parametrize("options", [{}, {"bands": ["g", "r"]}], ids=["whole", "bands"])
def test_what_a_run_takes_is_said(options):
    experiment = Experiment.model_validate(
        {
            "name": "asked",
            "task": "binary",
            "data": {"dataset": "image_folder", "source_dir": "images", "options": options},
            "model": {"backbone": "resnet18"},
        }
    )
    words = what_is_taken(experiment)
    assert words.startswith("This run was trained on image_folder: it takes image files (.npy")
    assert ('(g, r) named like "{id}_{band}"' in words) is bool(options)
