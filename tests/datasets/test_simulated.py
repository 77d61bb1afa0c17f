"""The simulated data sets: what is recorded is what the simulator makes, evenly divided."""

import csv

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lensnet import registry
from lensnet.data import prepare
from lensnet.registry import load_object

# Data set, task, options for 20 images of each kind.
SETS = [
    ("lens_finding/simulated", "binary", {"image_size": 32, "examples_per_class": 20}),
    (
        "deeplense_substructure/simulated",
        "classification",
        {"image_size": 16, "examples_per_class": 20},
    ),
    ("halo_mass/simulated", "regression", {"image_size": 16, "examples": 20}),
]
EACH = pytest.mark.parametrize(("name", "task", "options"), SETS, ids=[s[0] for s in SETS])


@EACH
def test_records_are_what_the_simulator_makes(make_experiment, name, task, options):
    data = prepare(make_experiment(name, task, options=options, normalization="none", seed=3))
    spec = registry.datasets.get(name)
    simulator = load_object(spec.simulator)(image_size=options["image_size"])
    assert data.classes == tuple(simulator.classes)
    size = options["image_size"]
    assert data.native_shape == data.image_shape == (size, size, 1)
    kinds = len(data.classes) or 1
    for split, share in (("train", 16), ("validation", 2), ("test", 2)):
        assert set(data.counts(split).values()) == {share}
        assert len(data.examples(split).ids) == kinds * share
    images, labels = next(iter(data.batches("test", 8)))
    for place, example_id in enumerate(data.examples("test").ids[:8]):
        kind, index = example_id.split("/")
        made = simulator.simulate(kind if data.classes else None, int(index), 3)
        np.testing.assert_array_equal(images[place], made.image)
        expected = made.label if data.classes else made.target
        assert data.examples("test").labels[place] == pytest.approx(expected)
        if task == "classification":
            assert int(np.argmax(labels[place])) == expected
        else:
            assert labels[place].shape == (1,)
            assert float(labels[place][0]) == pytest.approx(expected, rel=1e-6)


@EACH
def test_more_images_change_none_of_the_old(make_experiment, name, task, options):
    few = prepare(make_experiment(name, task, options=options))
    count = "examples" if "examples" in options else "examples_per_class"
    many = prepare(make_experiment(name, task, options={**options, count: 30}))
    assert many.directory != few.directory
    for split in ("train", "validation", "test"):
        assert set(few.examples(split).ids) <= set(many.examples(split).ids)


@EACH
def test_networks_of_any_seed_see_the_same_images(make_experiment, name, task, options):
    one, other = (
        prepare(make_experiment(name, task, network_seed=seed, options=options)) for seed in (0, 7)
    )
    assert one.directory == other.directory


@EACH
def test_another_seed_gives_other_images(make_experiment, name, task, options):
    one, other = (
        prepare(make_experiment(name, task, options=options, seed=seed, normalization="none"))
        for seed in (0, 1)
    )
    assert one.directory != other.directory
    images, others = (next(iter(data.batches("train", 4)))[0].numpy() for data in (one, other))
    assert not np.array_equal(images, others)


def test_targets_have_their_mean_and_spread(make_experiment):
    name, task, options = SETS[2]
    data = prepare(make_experiment(name, task, options=options))
    targets = data.examples("train").labels
    assert targets.dtype == np.float64 and 11.5 <= targets.min() <= targets.max() <= 12.5
    assert data.target_mean == pytest.approx(targets.mean())
    assert data.target_std == pytest.approx(targets.std())
    assert data.classes == () and data.counts("train") == {"all": 16}


def test_what_was_drawn_is_listed(make_experiment):
    name, task, options = SETS[0]
    data = prepare(make_experiment(name, task, options=options))
    with open(data.directory / "examples.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    assert list(listed[0]) == ["id", "file", "split", "label", "metadata"]
    assert all(row["metadata"].startswith('{"') and "NaN" not in row["metadata"] for row in listed)


def test_the_default_configuration_works_through_tfds(tmp_path, monkeypatch):
    builder_class = load_object(registry.datasets.get("halo_mass/simulated").builder)
    config = builder_class.builder_configs["simulated"]
    # The default has thousands of images of 150 pixels.
    small = config.options.model_copy(update={"image_size": 16, "examples": 20})
    monkeypatch.setattr(config, "options", small)
    train, info = tfds.load(
        "halo_mass/simulated",
        split="train",
        data_dir=tmp_path,
        with_info=True,
        as_supervised=True,
    )
    image, target = next(iter(train))
    assert image.shape == (16, 16, 1) and 11.5 <= float(target) <= 12.5
    assert info.splits["train"].num_examples == 16
    assert "main halo" in info.description and "Alexander" in info.citation


def test_lenses_and_others_may_be_unequal_and_of_another_survey(make_experiment):
    from lensnet.simulation import PS1_R_BAND, LensFindingSimulator

    options = {"image_size": 32, "examples_per_class": 10, "nonlenses": 30, "survey": "ps1_r"}
    name = "lens_finding/simulated"
    data = prepare(make_experiment(name, "binary", options=options, normalization="none"))
    assert data.counts("train") == {"nonlens": 24, "lens": 8}
    assert data.counts("test") == {"nonlens": 3, "lens": 1}
    simulator = LensFindingSimulator(image_size=32, observation=PS1_R_BAND)
    images, _ = next(iter(data.batches("test", 4)))
    for image, example_id in zip(images, data.examples("test").ids, strict=True):
        kind, index = example_id.split("/")
        np.testing.assert_array_equal(image, simulator.simulate(kind, int(index), 0).image)
