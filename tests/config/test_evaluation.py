"""The section `evaluation`: what fits which task."""

import pytest

from lensnet.config.documents import parse_document
from lensnet.config.loading import validate
from lensnet.errors import ConfigurationError

EXPERIMENT = """\
name: some
task: {task}
data: {{dataset: {dataset}}}
model: {{backbone: lens_cnn}}
evaluation: {{{evaluation}}}
"""
DATASETS = {
    "binary": "lens_finding/simulated",
    "classification": "deeplense_substructure/simulated",
    "regression": "halo_mass/simulated",
}


def read(task, evaluation):
    text = EXPERIMENT.format(task=task, dataset=DATASETS[task], evaluation=evaluation)
    return validate(parse_document(text, "some.yaml")).evaluation


def test_defaults():
    section = read("binary", "rotations: 4")
    assert (section.bootstrap, section.calibration, section.prevalence) == (1000, "none", None)


@pytest.mark.parametrize(
    ("task", "evaluation", "message"),
    [
        ("classification", "prevalence: 0.01", r"some.yaml:5.*prevalence.*looks for none"),
        ("regression", "calibration: temperature", r"some.yaml:5.*calibration.*gaussian_nll"),
        ("binary", "prevalence: 0", "prevalence"),
        ("binary", "prevalence: 1.0", "prevalence"),
        ("binary", "bootstrap: -1", "bootstrap"),
        ("binary", "calibration: platt", "none, temperature|'none' or 'temperature'|temperature"),
    ],
)
def test_what_does_not_fit_is_refused(task, evaluation, message):
    with pytest.raises(ConfigurationError, match=message):
        read(task, evaluation)


def test_what_fits():
    assert read("binary", "prevalence: 0.001, calibration: temperature").prevalence == 0.001
    assert read("classification", "calibration: temperature").calibration == "temperature"
