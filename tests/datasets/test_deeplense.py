"""DeepLense's published files, in the layouts in which they are published."""

import numpy as np
import pytest

from lensnet.config import Experiment
from lensnet.config.problems import problems
from lensnet.data import prepare
from lensnet.errors import DataError


def pair(image, *numbers):
    """An object array such as `[image, mass]`."""
    array = np.empty(1 + len(numbers), dtype=object)
    array[:] = [image, *numbers]
    return array


def image_of(*key, size=10):
    return np.random.default_rng(key).random((size, size))


@pytest.fixture
def save(tmp_path):
    def save(name, array):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array, allow_pickle=array.dtype == object)
        return tmp_path / "source"

    return save


# --- common test ----------------------------------------------------------------------------------


@pytest.fixture
def common_test(save):
    for folder, count in (("train", 30), ("val", 4)):
        for place, label in enumerate(("no", "sphere", "vort")):
            for index in range(count):
                image = image_of(place, index, len(folder))[np.newaxis]
                root = save(f"{folder}/{label}/{index + 1}.npy", image)
    return root


def test_common_test(common_test, make_experiment, read_back):
    made = make_experiment(
        "deeplense_substructure/common_test", "classification", source_dir=common_test
    )
    data = prepare(made)
    assert data.classes == ("no", "sphere", "vort") and data.native_shape == (10, 10, 1)
    records = read_back(data)
    assert len(records) == 3 * 34
    for name, record in records.items():
        stored = np.load(common_test / record.file)
        np.testing.assert_array_equal(record.image[..., 0], stored[0].astype(np.float32))
        folder, label, _ = name.split("/")
        assert record.value == label
        # `val` is the test set, all of it, and validation is cut from `train`.
        assert (record.split == "test") == (folder == "val")
    assert 2 <= sum(data.counts("validation").values()) <= 20


def test_common_test_with_slices(common_test, make_experiment):
    splits = {"train": "train[:80%]", "validation": "train[80%:]", "test": "test"}
    data = prepare(
        make_experiment(
            "deeplense_substructure/common_test",
            "classification",
            source_dir=common_test,
            splits=splits,
        )
    )
    sizes = [sum(data.counts(split).values()) for split in ("train", "validation", "test")]
    assert sizes == [72, 18, 12]


def test_a_missing_folder_is_named(common_test, make_experiment):
    (common_test / "val" / "no").rename(common_test / "val" / "none")
    with pytest.raises(DataError, match=r"lacks val/no\. data\.source_dir is the directory"):
        make_experiment(
            "deeplense_substructure/common_test", "classification", source_dir=common_test
        )


# --- models ---------------------------------------------------------------------------------------

MASSES = np.logspace(-24, -22, 30)


def write_model(save, below=""):
    for index in range(30):
        for place, label in enumerate(("no_sub", "cdm")):
            name = f"{below}{label}/{label}_sim_{index:06d}.npy"
            save(name, (1000 * image_of(place, index)).astype(np.int64))
        image = (1000 * image_of(2, index)).astype(np.int64)
        root = save(f"{below}axion/axion_sim_{index:06d}.npy", pair(image, float(MASSES[index])))
    return root


def stored(root, record):
    array = np.load(root / record.file, allow_pickle=True)
    return array[0] if array.dtype == object else array


@pytest.mark.parametrize("model", ["model_i", "model_ii", "model_iii", "model_iv"])
def test_models(save, make_experiment, read_back, model):
    root = write_model(save)
    name = f"deeplense_substructure/{model}"
    data = prepare(make_experiment(name, "classification", source_dir=root))
    assert data.classes == ("no_sub", "cdm", "axion")
    records = read_back(data)
    assert len(records) == 90 and data.quarantine == ()
    for key, record in records.items():
        np.testing.assert_array_equal(record.image[..., 0], stored(root, record))
        assert record.value == key.split("/")[0]
    axion = records["axion/axion_sim_000007"]
    assert axion.metadata == {"axion_mass_ev": MASSES[7]}
    assert records["cdm/cdm_sim_000007"].metadata == {}


def test_a_model_unpacked_beside_its_test_set(save, make_experiment, read_back):
    write_model(save, "train/")
    root = write_model(save, "test/")
    name = "deeplense_substructure/model_ii"
    data = prepare(make_experiment(name, "classification", source_dir=root))
    records = read_back(data)
    assert len(records) == 180
    assert all(
        (record.split == "test") == key.startswith("test/") for key, record in records.items()
    )
    assert data.counts("test") == {"no_sub": 30, "cdm": 30, "axion": 30}


# --- axion mass -----------------------------------------------------------------------------------


def test_axion_mass(save, make_experiment, read_back):
    root = write_model(save)
    name = "deeplense_axion_mass/model_i"
    data = prepare(make_experiment(name, "regression", source_dir=root))
    assert data.classes == ()
    records = read_back(data)
    assert len(records) == 30
    for index in range(30):
        record = records[f"axion/axion_sim_{index:06d}"]
        assert record.value == pytest.approx(np.log10(MASSES[index]), rel=1e-12)
        np.testing.assert_array_equal(record.image[..., 0], stored(root, record))
    # The mass of an image lies in the split that the image lies in as one of three classes.
    whole = prepare(
        make_experiment("deeplense_substructure/model_i", "classification", source_dir=root)
    )
    for split in ("train", "validation", "test"):
        axions = {i for i in whole.examples(split).ids if i.startswith("axion/")}
        assert set(data.examples(split).ids) == axions
    # Named itself, the folder holds the same images under the same names.
    itself = prepare(make_experiment(name, "regression", source_dir=root / "axion"))
    assert itself.directory == data.directory


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((0.0,), "its axion_mass_ev is 0, which has no logarithm"),
        ((-1e-23,), "its axion_mass_ev is -1e-23, which has no logarithm"),
        ((np.nan,), "its axion_mass_ev is nan, which is not a target"),
        ((), "0 numbers stand beside the image, and not 1 (axion_mass_ev)"),
        ((1e-23, 2.0), "2 numbers stand beside the image, and not 1 (axion_mass_ev)"),
    ],
    ids=["zero", "negative", "nan", "none", "two"],
)
def test_a_mass_without_a_logarithm_is_a_bad_file(save, make_experiment, numbers, reason):
    write_model(save)
    root = save("axion/axion_sim_000003.npy", pair(image_of(9), *numbers))
    data = prepare(
        make_experiment(
            "deeplense_axion_mass/model_iv",
            "regression",
            source_dir=root,
            options={"max_bad": 0.1},
        )
    )
    assert dict(data.quarantine) == {"axion/axion_sim_000003.npy": reason}
    assert sum(data.counts(split)["all"] for split in ("train", "validation", "test")) == 29


def test_a_pickle_that_runs_something_is_a_bad_file(save, make_experiment):
    root = write_model(save)

    class Trap:
        def __reduce__(self):
            return print, ("sprung",)

    trap = np.empty(2, dtype=object)
    trap[:] = [image_of(1), Trap()]
    np.save(root / "axion" / "axion_sim_000004.npy", trap, allow_pickle=True)
    data = prepare(
        make_experiment(
            "deeplense_axion_mass/model_i", "regression", source_dir=root, options={"max_bad": 0.1}
        )
    )
    ((file, reason),) = data.quarantine
    assert file == "axion/axion_sim_000004.npy" and "builtins.print" in reason


# --- halo mass ------------------------------------------------------------------------------------


def test_halo_mass(save, make_experiment, read_back):
    fractions = np.random.default_rng(0).uniform(0, 0.05, 30)
    # A share of exactly nothing is a target like any other.
    fractions[5] = 0.0
    for index, fraction in enumerate(fractions):
        image = (255 * image_of(index)).astype(np.int64)
        root = save(f"lens_data/image_{index + 1}.npy", pair(image, float(fraction)))
    data = prepare(make_experiment("halo_mass/deeplense", "regression", source_dir=root))
    records = read_back(data)
    assert len(records) == 30 and data.quarantine == ()
    for index, fraction in enumerate(fractions):
        record = records[f"lens_data/image_{index + 1}"]
        assert record.value == fraction
        assert record.metadata == {"substructure_mass_fraction": fraction}
        np.testing.assert_array_equal(record.image[..., 0], stored(root, record))


# --- lens finding ---------------------------------------------------------------------------------


def test_lens_finding(save, make_experiment, read_back):
    for place, (folder, count) in enumerate(
        {"train_lenses": 12, "train_nonlenses": 60, "test_lenses": 3, "test_nonlenses": 40}.items()
    ):
        for index in range(count):
            image = np.stack([image_of(place, index, band) for band in range(3)])
            root = save(f"{folder}/{index}.npy", image)
    data = prepare(make_experiment("lens_finding/deeplense", "binary", source_dir=root, seed=1))
    assert data.classes == ("nonlens", "lens") and data.native_shape == (10, 10, 3)
    records = read_back(data)
    assert len(records) == 115 and data.counts("test") == {"nonlens": 40, "lens": 3}
    for key, record in records.items():
        assert record.value == ("lens" if "_lenses/" in key else "nonlens")
        assert (record.split == "test") == key.startswith("test_")
        image = np.moveaxis(np.load(root / record.file), 0, -1)
        np.testing.assert_array_equal(record.image, image.astype(np.float32))
    (_, labels), *_ = data.batches("test", 43)
    assert labels.shape == (43, 1) and float(np.sum(labels)) == 3


def test_fractions_are_refused_where_the_folders_are_splits(save):
    for folder in ("train_lenses", "train_nonlenses", "test_lenses", "test_nonlenses"):
        root = save(f"{folder}/1.npy", image_of(0))
    content = {
        "name": "test",
        "task": "binary",
        "data": {
            "dataset": "lens_finding/deeplense",
            "source_dir": str(root),
            "splits": {"train": 0.8, "validation": 0.1, "test": 0.1},
        },
        "model": {"backbone": "resnet18"},
    }
    ((_, message),) = problems(Experiment.model_validate(content))
    assert "brings its own splits" in message
