"""What the other rooms see of a data set."""

import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf

from lensnet.data import Preprocessing, find_prepared, prepare
from lensnet.data.records.index import read_index
from lensnet.data.records.records import open_records
from lensnet.errors import ConfigurationError, DataError


@pytest.fixture
def source(write_folder):
    return write_folder({"a": 30, "b": 30})


def labels_of(data, split="train"):
    return np.concatenate([labels for _, labels in data.batches(split, 8)])


def test_shapes_counts_and_splits(source, make_experiment):
    data = prepare(make_experiment(source, image_size=6))
    assert data.classes == ("a", "b")
    assert data.native_shape == (8, 8, 1) and data.image_shape == (6, 6, 1)
    assert data.splits.model_dump() == {"train": 0.8, "validation": 0.1, "test": 0.1}
    counts = [data.counts(split) for split in ("train", "validation", "test")]
    assert counts == [{"a": 24, "b": 24}, {"a": 3, "b": 3}, {"a": 3, "b": 3}]
    assert data.steps_per_epoch(16) == 3
    assert data.target_mean is None and data.training_weights is None and data.quarantine == ()
    images, _ = next(iter(data.batches("test", 4)))
    assert images.dtype == "float32" and images.shape[1:] == (6, 6, 1)


def test_networks_of_any_seed_are_tested_on_the_same_images(source, make_experiment):
    one, other = (prepare(make_experiment(source, network_seed=seed)) for seed in (0, 7))
    assert one.directory == other.directory


def test_labels_fit_the_task(source, make_experiment):
    data = prepare(make_experiment(source))
    one_hot = labels_of(data)
    assert one_hot.dtype == np.float32 and one_hot.shape[1] == 2
    np.testing.assert_array_equal(one_hot.argmax(axis=1), data.examples("train").labels)
    binary = labels_of(prepare(make_experiment(source, task="binary")))
    np.testing.assert_array_equal(binary[:, 0], one_hot[:, 1])
    other = make_experiment(source, task="binary", options={"classes": ["b", "a"]})
    assert prepare(other).classes == ("b", "a")


def test_raw_images_are_those_of_the_batches_before_preprocessing(source, make_experiment):
    data = prepare(make_experiment(source, image_size=6))
    raw = np.concatenate(list(data.raw_batches("train", 10)))
    images = np.concatenate([images for images, _ in data.batches("train", 10)])
    assert raw.shape == (48, 8, 8, 1)
    np.testing.assert_allclose(data.preprocessing(raw), images, atol=1e-6)
    some = np.array([40, 3, 17])
    np.testing.assert_array_equal(data.raw_images("train", some), raw[some])


def test_records_that_are_gone_are_not_made(source, make_experiment):
    experiment = make_experiment(source)
    data = prepare(experiment)
    found = find_prepared(experiment, data.records, data.preprocessing)
    assert found is not None and found.directory == data.directory
    shutil.rmtree(data.directory)
    assert find_prepared(experiment, data.records, data.preprocessing) is None
    assert find_prepared(experiment, None, data.preprocessing) is None
    assert not data.directory.exists()


def test_a_split_that_is_none(source, make_experiment):
    data = prepare(make_experiment(source))
    with pytest.raises(ValueError, match="split must be one of train, validation, test"):
        data.batches("val", 4)
    with pytest.raises(ValueError, match="first_epoch"):
        data.training_batches(4, first_epoch=2, epochs=2)


def test_the_preprocessing_of_a_run_is_kept(source, make_experiment):
    experiment = make_experiment(source, normalization="dataset_standard")
    fitted = prepare(experiment).preprocessing
    assert fitted.offset is not None
    kept = Preprocessing((8, 8, 1), None, "dataset_standard", (0.25,), (2.0,))
    data = prepare(experiment, preprocessing=kept)
    assert data.preprocessing == kept
    raw = prepare(make_experiment(source, normalization="none"))
    images, expected = (next(iter(which.batches("test", 4)))[0] for which in (data, raw))
    np.testing.assert_allclose(images, (expected - 0.25) / 2, atol=1e-6)
    with pytest.raises(DataError, match="made for"):
        prepare(experiment, preprocessing=Preprocessing((9, 9, 1)))


def test_statistics_are_of_the_training_split_alone(source, make_experiment):
    data = prepare(make_experiment(source, normalization="dataset_standard"))
    ids = data.examples("train").ids
    pixels = np.stack([np.load(source / f"{name}.npy") for name in ids]).astype(np.float64)
    np.testing.assert_allclose(data.preprocessing.offset, [pixels.mean()])
    np.testing.assert_allclose(data.preprocessing.scale, [pixels.std()])
    clip = {"clip_percentiles": [1, 90], "limits": "dataset"}
    clipped = prepare(make_experiment(source, normalization=clip)).preprocessing
    low, high = np.percentile(pixels.astype(np.float32), [1, 90], method="inverted_cdf")
    assert (clipped.low, clipped.high) == ((low,), (high,))


def test_augmentations_are_checked(write_folder, make_experiment, source):
    oblong = write_folder({}, "oblong")
    for label in "ab":
        (oblong / label).mkdir(parents=True)
        for index in range(20):
            np.save(oblong / label / f"{index}.npy", np.random.default_rng(index).random((4, 6)))
    with pytest.raises(ConfigurationError, match="needs square images.*data.crop"):
        prepare(make_experiment(oblong))
    assert prepare(make_experiment(oblong, augmentation=["flip"])).image_shape == (4, 6, 1)
    with pytest.raises(ConfigurationError, match="band_dropout needs several bands"):
        prepare(make_experiment(source, augmentation=["flip", "band_dropout"]))
    assert prepare(make_experiment(oblong, crop=4)).image_shape == (4, 4, 1)
    repeated = make_experiment(source, augmentation=["band_dropout"], repeat_channels=3)
    assert prepare(repeated).image_shape == (8, 8, 3)


def test_what_a_run_writes_down_leads_to_the_same_records(source, make_experiment, monkeypatch):
    monkeypatch.chdir(source.parent)
    experiment = make_experiment(source.relative_to(source.parent), options={"max_bad": 0.2})
    data = prepare(experiment)
    resolved = experiment.resolved(data.splits)
    assert resolved.data.options != experiment.data.options
    assert prepare(resolved).directory == data.directory


# --- folders of splits ----------------------------------------------------------------------------


@pytest.fixture
def split_source(write_folder):
    write_folder({"train/a": 40, "train/b": 40})
    return write_folder({"val/a": 6, "val/b": 6})


def test_own_splits_and_one_cut_from_training(split_source, make_experiment):
    data = prepare(make_experiment(split_source))
    assert data.splits.model_dump() == {
        "train": "train",
        "validation": "validation",
        "test": "test",
    }
    assert data.counts("validation") == {"a": 6, "b": 6}
    # A tenth of the 40 training images of each class.
    assert data.counts("test") == {"a": 4, "b": 4}
    assert data.counts("train") == {"a": 36, "b": 36}
    # What a run folder writes down leads to the same records.
    resolved = make_experiment(split_source, splits=data.splits.model_dump())
    assert resolved.layout.splits == ("train", "validation", "test")
    assert prepare(resolved).directory == data.directory


def test_slices_of_own_splits(split_source, make_experiment):
    """DeepLense's common test: `val` is the test set, and `train` is divided."""
    splits = {"train": "train[:90%]", "validation": "train[90%:]", "test": "validation"}
    data = prepare(make_experiment(split_source, splits=splits))
    assert data.splits.model_dump() == splits
    assert [sum(data.counts(s).values()) for s in ("train", "validation", "test")] == [72, 8, 12]
    assert all(name.startswith("val/") for name in data.examples("test").ids)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            labels_of(data, split).argmax(axis=1), data.examples(split).labels
        )
    expected = {name for name in data.examples("validation").ids}
    tfds_slice = data.builder.as_dataset(split="train[90%:]")
    assert {record["id"].numpy().decode() for record in tfds_slice} == expected


def test_records_are_fetched_by_their_position(split_source, make_experiment, monkeypatch):
    """Of a slice too, which begins and ends within shards."""
    monkeypatch.setattr("lensnet.data.records.builder.SHARD_BYTES", 10 * 8 * 8 * 4)
    splits = {"train": "train[13:59]", "validation": "train[70:]", "test": "validation"}
    data = prepare(make_experiment(split_source, splits=splits))
    index = read_index(data.directory, data.classes)
    records = open_records(data.builder, index, splits["train"])
    assert len(records.files) > 3 and records.skips[0] > 0
    in_order = [serialized.numpy() for serialized, _ in records.read()]
    positions = [45, 0, 17, 17, 31]
    fetched = records.fetch(tf.constant(positions, tf.int64)).numpy()
    assert fetched.tolist() == [in_order[position] for position in positions]


def test_slices_of_prepared_splits(source, make_experiment):
    splits = {"train": "train[:50%]", "validation": "validation", "test": "test+train[80%:]"}
    data = prepare(make_experiment(source, splits=splits))
    whole = prepare(make_experiment(source))
    assert data.directory == whole.directory
    ids, count = whole.examples("train").ids, len(whole.examples("train").ids)
    assert list(data.examples("train").ids) == list(ids[: round(0.5 * count)])
    assert set(whole.examples("test").ids) < set(data.examples("test").ids)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", "train[90%:]", "test"), "train .* and validation .* share"),
        (("train[:x%]", "validation", "test"), "not a slice of the splits"),
        (("train", "validation[:0]", "test"), "holds no example"),
    ],
)
def test_slices_that_cannot_serve(source, make_experiment, splits, message):
    named = dict(zip(("train", "validation", "test"), splits, strict=True))
    with pytest.raises(ConfigurationError, match=message):
        prepare(make_experiment(source, splits=named))


def test_a_class_missing_from_a_split_is_said_each_time(write_folder, make_experiment, caplog):
    write_folder({"train/a": 20, "train/b": 20, "val/a": 5, "val/b": 5})
    source = write_folder({"test/a": 5})
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            prepare(make_experiment(source))
        assert "The test split has no image of b" in caplog.text
