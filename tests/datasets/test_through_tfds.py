"""Our data sets as users of TFDS reach them: by name, with the files named in either way."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

import lensnet.datasets
from lensnet import registry
from lensnet.data import prepare
from lensnet.data.records.lens_config import LensConfig
from lensnet.datasets.halo_mass.halo_mass_dataset_builder import Builder as HaloMass
from lensnet.datasets.image_folder.image_folder_dataset_builder import Builder as ImageFolder
from lensnet.errors import ConfigurationError, DataError

FOLDER = Path(lensnet.datasets.__file__).parent


def run(*command, **options):
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def axions(tmp_path):
    """Forty axion files."""
    (tmp_path / "source" / "axion").mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(40):
        pair = np.empty(2, dtype=object)
        pair[:] = [random.integers(0, 1000, (10, 10)), 10 ** random.uniform(-24, -22)]
        np.save(tmp_path / "source" / "axion" / f"{index}.npy", pair, allow_pickle=True)
    return tmp_path / "source"


@pytest.fixture
def classes(tmp_path):
    for label in ("lens", "nonlens"):
        (tmp_path / "folders" / label).mkdir(parents=True)
        for index in range(40):
            np.save(tmp_path / "folders" / label / f"{index}.npy", np.random.random((6, 6)))
    return tmp_path / "folders"


# --- by name --------------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize(
    "order",
    [
        "lensnet, tensorflow_datasets",
        # Here the mechanism has nothing to wait for.
        pytest.param("tensorflow_datasets, lensnet", marks=pytest.mark.slow),
    ],
)
def test_tfds_knows_our_names_in_either_order(axions, tmp_path, order):
    code = f"""
import sys
import {order.split(", ")[0]}
assert "tensorflow_datasets" in sys.modules or "tensorflow" not in sys.modules
import {order.split(", ")[1]}
import tensorflow_datasets as tfds
assert not [n for n in sys.modules if n.startswith("lensnet") and n.endswith("_dataset_builder")]
records = tfds.load(
    "deeplense_axion_mass/model_i",
    split="train[:3]",
    data_dir={str(tmp_path / "data")!r},
    builder_kwargs={{"source_dir": {str(axions)!r}}},
)
print([-24 <= float(record["target"]) <= -22 for record in records])
"""
    assert run("-c", code, cwd=tmp_path).strip() == "[True, True, True]"


@pytest.mark.parametrize("name", registry.datasets.names())
def test_every_name_has_its_builder(name):
    builder = tfds.builder_cls(name.partition("/")[0])
    assert builder.name == name.partition("/")[0]
    assert tfds.builder(name).info.full_name.startswith(name)


def test_names_that_there_are_not(axions):
    with pytest.raises(tfds.core.DatasetNotFoundError, match="no_such_set"):
        tfds.load("no_such_set")
    with pytest.raises(ConfigurationError, match='no "halo_mass/deplense". Known: halo_mass/sim'):
        tfds.load("halo_mass/deplense", builder_kwargs={"source_dir": axions})


# --- with options ---------------------------------------------------------------------------------


def test_options_splits_and_seed(classes, tmp_path):
    options = {"classes": ["nonlens", "lens"]}
    loaded, info = tfds.load(
        "image_folder",
        data_dir=tmp_path / "data",
        with_info=True,
        builder_kwargs={
            "source_dir": str(classes),
            "options": options,
            "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
            "seed": 3,
        },
    )
    assert info.features["label"].names == ["nonlens", "lens"]
    ids = {split: {r["id"].numpy().decode() for r in records} for split, records in loaded.items()}
    assert sum(map(len, ids.values())) == 80 and 30 <= len(ids["train"]) <= 50
    for record in loaded["test"].take(5):
        name = record["id"].numpy().decode()
        stored = np.load(classes / f"{name}.npy").astype(np.float32)
        np.testing.assert_array_equal(record["image"][..., 0], stored)
        assert int(record["label"]) == int(name.startswith("lens/"))


def test_what_tfds_has_prepared_need_not_be_prepared_again(axions, tmp_path, make_experiment):
    builder = tfds.builder(
        "deeplense_axion_mass/model_ii", source_dir=axions, data_dir=tmp_path / "prepared"
    )
    builder.download_and_prepare()
    made = make_experiment("deeplense_axion_mass/model_ii", "regression", source_dir=axions)
    assert str(prepare(made).directory) == builder.data_dir


def test_a_configuration_as_tfds_build_takes_it(classes, tmp_path):
    """`tfds build --config '{"source_dir": ..., ...}'` makes the configuration of its keys."""
    assert ImageFolder.builder_config_cls is LensConfig
    config = LensConfig(source_dir=str(classes), options={"max_bad": 0.5})
    builder = ImageFolder(config=config, data_dir=tmp_path)
    assert builder.builder_config.options.max_bad == 0.5
    assert builder.builder_config.name.startswith("files-")
    # A variant may be said as the name, too.
    named = LensConfig(name="deeplense", source_dir=str(tmp_path))
    with pytest.raises(DataError, match="lacks lens_data"):
        HaloMass(config=named)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"options": {"band": ["g"]}}, "Options: band: Extra inputs"),
        ({"options": {"max_bad": 2.0}}, "Options: max_bad: Input should be less"),
        ({"splits": {"train": 0.5}}, "Splits: together: Value error, the fractions must"),
    ],
    ids=["key", "value", "splits"],
)
def test_wrong_settings_are_named(classes, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        ImageFolder(source_dir=classes, **settings)


def test_options_of_another_data_set(classes):
    with pytest.raises(ConfigurationError, match="Needs Options; got SimulatedOptions"):
        ImageFolder.configure("", registry.datasets.get("halo_mass/simulated").options())


def test_a_builder_travels_to_another_process(axions, tmp_path):
    import pickle

    builder = tfds.builder("deeplense_axion_mass/model_i", source_dir=axions, data_dir=tmp_path)
    again = pickle.loads(pickle.dumps(builder))
    assert again.data_dir == builder.data_dir and again.examples == builder.examples


# --- tfds build -----------------------------------------------------------------------------------


def test_the_manual_directory(axions, tmp_path):
    builder = tfds.builder("deeplense_axion_mass/model_i", data_dir=tmp_path / "data")
    assert builder.info.features["image"].shape == (None, None, None)
    with pytest.raises(DataError, match="say where they are"):
        builder.download_and_prepare()
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(axions))
    )
    assert builder.info.features["image"].shape == (10, 10, 1)
    assert sum(split.num_examples for split in builder.info.splits.values()) == 40
    assert {record["image"].shape for record in builder.as_dataset(split="train")} == {(10, 10, 1)}


@pytest.mark.processes
def test_tfds_build_in_the_folder_of_a_data_set(axions, tmp_path):
    arguments = ["--config", "model_i", "--manual_dir", axions, "--data_dir", tmp_path / "data"]
    if all(importlib.util.find_spec(name) for name in ("apache_beam", "mlcroissant")):
        from tensorflow_datasets.scripts.cli import main

        command = [main.__file__, "build", *arguments]
    else:
        # The command `tfds` imports these two whatever it is to do; `build` itself does not.
        code = (
            "import sys, simple_parsing\n"
            "from tensorflow_datasets.scripts.cli import build\n"
            "simple_parsing.parse(build.Args, args=sys.argv[1:]).execute()"
        )
        command = ["-c", code, *arguments]
    printed = run(*command, cwd=FOLDER / "deeplense_axion_mass")
    assert "deeplense_axion_mass/model_i-" in printed and "num_examples=" in printed
    (records,) = (tmp_path / "data" / "deeplense_axion_mass").glob("model_i-*/*/*-test.tfrecord-*")
    assert records.stat().st_size
