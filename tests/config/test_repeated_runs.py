"""The runs that an experiment file with seeds or folds stands for, and what it may not ask."""

import pytest

from lensnet import config
from lensnet.config.repeated_runs import runs_of
from lensnet.errors import ConfigurationError

FILE = """\
name: some
task: binary
data:
  dataset: lens_finding/simulated
  {data}
model: {{backbone: lens_cnn}}
training:
  epochs: 2
  {training}
"""


def written(path, training, data=""):
    path.write_text(FILE.format(training=training, data=data))
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.yaml"


def test_a_single_run_stands_for_itself(file):
    assert runs_of(config.load(written(file, ""))) == {}
    assert runs_of(config.load(written(file, "folds: 5\n  fold: 2"))) == {}


def test_folds_of_images_that_are_never_prepared_are_refused(file):
    with pytest.raises(ConfigurationError, match=r"training\.folds: .* use training\.seeds"):
        config.load(written(file, "folds: 3", "fresh: true"))


def test_seeds(file):
    runs = runs_of(config.load(written(file, "seeds: [3, 0]")))
    assert {name: run.seed for name, run in runs.items()} == {"seed-3": 3, "seed-0": 0}
    assert all(run.training.seeds is None and run.data.seed == 0 for run in runs.values())
    assert all(runs_of(run) == {} for run in runs.values())


def test_folds(file):
    runs = runs_of(config.load(written(file, "folds: 4")))
    assert {name: run.training.fold for name, run in runs.items()} == {
        f"fold-{number}": number for number in range(4)
    }
    assert all(run.training.folds == 4 and runs_of(run) == {} for run in runs.values())
    assert all(config.loading.to_yaml(run) for run in runs.values())


@pytest.mark.parametrize(
    ("training", "data", "message"),
    [
        ("seeds: [0, 1, 0]", "", ":9: training.seeds: each seed may stand once; got [0, 1, 0]."),
        ("seeds: []", "", ":9: training.seeds: "),
        ("seeds: [-1]", "", ":9: training.seeds.0: "),
        ("folds: 2", "", ":9: training.folds: "),
        ("fold: 2", "", ":9: training.fold: a fold is named, and training.folds says of none."),
        ("folds: 3\n  fold: 3", "", ":10: training.fold: there is no fold 3: they are 0 to 2."),
        (
            "seeds: [0]\n  folds: 3",
            "",
            ":9: training.seeds: seeds and folds are not taken together",
        ),
        ("folds: 3", "splits: {train: 0.8}", ":5: data.splits: training.folds divides the data"),
        ("seeds: [0, 1]\n  strategy: multi_worker", "", ":9: training.seeds: with strategy multi_"),
    ],
)
def test_refusals_name_file_line_and_key(file, training, data, message):
    with pytest.raises(ConfigurationError) as refused:
        config.load(written(file, training, data))
    assert f"{file}{message}" in str(refused.value)


def test_folds_of_data_with_their_own_splits(file, tmp_path):
    for split in ("train", "test"):
        for name in ("ring", "blob"):
            (tmp_path / "images" / split / name).mkdir(parents=True)
            (tmp_path / "images" / split / name / "0.npy").touch()
    written(file, "folds: 3", f"source_dir: {tmp_path / 'images'}")
    file.write_text(file.read_text().replace("lens_finding/simulated", "image_folder"))
    with pytest.raises(ConfigurationError, match=r":9: training.folds: .* its own splits \("):
        config.load(file)
