"""An epoch is a pure function of (seed, epoch): shuffled, complete, and the same after a resume."""

import numpy as np
import pytest
import tensorflow as tf

from lensnet.data import prepare
from lensnet.data.pipeline import split_data, training_stream
from lensnet.data.pipeline.share import Share

EPOCHS, SIZE = 3, 15

IN_MEMORY, ON_DISK = (
    pytest.mark.parametrize("data", [place], indirect=True) for place in ("in memory", "on disk")
)
"""For what does not depend on the place; the places are compared in tests of their own."""


@pytest.fixture(params=["in memory", "on disk"])
def data(request, write_folder, make_experiment, monkeypatch):
    """Returns prepared data of 70 + 15 images by the options of `data`, kept in either place."""

    def make(**options):
        if request.param == "on disk":
            # Several shards, and windows of about two of them.
            monkeypatch.setattr(split_data, "CACHE_BYTES", 0)
            monkeypatch.setattr(training_stream, "WINDOW_BYTES", 20 * 8 * 8 * 4)
            monkeypatch.setattr("lensnet.data.records.builder.SHARD_BYTES", 10 * 8 * 8 * 4)
        options = {"normalization": "none", "augmentation": [], **options}
        prepared = prepare(make_experiment(write_folder({"a": 70, "b": 15}), **options))
        if request.param == "on disk":
            assert len(list(prepared.directory.glob("*-train.*"))) > 3
        return prepared

    return make


@pytest.fixture
def in_memory(write_folder, make_experiment):
    """Returns the same data, for what cannot depend on the place."""

    def make(**options):
        options = {"normalization": "none", "augmentation": [], **options}
        return prepare(make_experiment(write_folder({"a": 60, "b": 15}), **options))

    return make


def collect(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def weights_by_class(data):
    """Returns the weight that all training images of a class have, (K,)."""
    labels = data.examples("train").labels
    found = [np.unique(data.training_weights[labels == label]) for label in np.unique(labels)]
    return np.concatenate(found).reshape(len(found))


def identify(data, images):
    """Returns the position in the training split of each image, however it was rotated."""
    known = np.concatenate([images for images, _ in data.batches("train", 16)])
    # The sum of the pixels' cubes does not change when they move.
    marks = np.sum(known.astype(np.float64) ** 3, axis=(1, 2, 3))
    found = np.sum(images.astype(np.float64) ** 3, axis=(1, 2, 3))
    distance = abs(found[:, np.newaxis] - marks)
    assert np.all(np.sort(distance, axis=1)[:, 1] > 1e-4)
    return distance.argmin(axis=1)


def epochs_of(data, batches):
    steps = data.steps_per_epoch(SIZE)
    return [batches[at : at + steps] for at in range(0, len(batches), steps)]


# Of each kind: moved, interpolated, of pixels, of a library image by image and batch by batch.
VARIED = ["flip", {"rotate": {"degrees": 15}}, "noise", "random_erasing", "mixup"]


@pytest.mark.parametrize(
    ("data", "options", "smallest", "begun"),
    [
        ("on disk", {}, 1, [(0, 2), (1, 0)]),
        ("in memory", {"balance": "oversample", "augmentation": ["flip"]}, 1, [(1, 2)]),
        ("in memory", {"balance": "balanced", "augmentation": VARIED}, 1, [(1, 3)]),
        ("on disk", {"augmentation": ["flip"]}, SIZE, [(1, 1), (0, -1)]),
        ("on disk", {"balance": "oversample"}, SIZE, [(1, -2)]),
        ("on disk", {"balance": "balanced", "augmentation": ["flip"]}, SIZE, [(1, -2), (0, -1)]),
    ],
    indirect=["data"],
    ids=["plain", "oversampled", "balanced and varied", "joined", "oversampled, joined",
         "balanced, joined"],
)  # fmt: skip
def test_an_epoch_begins_at_any_step_whatever_came_before(data, options, smallest, begun):
    """With a last batch that another one has joined, and from the end of an epoch on, too."""
    data = data(**options)
    joined = {"epochs": 2, "smallest_batch": smallest}
    whole = collect(data.training_batches(SIZE, **joined))
    steps = data.steps_per_epoch(SIZE, smallest)
    for epoch, step in begun:
        # Counted from the end, -1 is behind the last batch.
        first = step % (steps + 1)
        rest = data.training_batches(SIZE, first_epoch=epoch, first_step=first, **joined)
        expected = whole[epoch * steps + first :]
        assert int(rest.cardinality()) == len(expected)
        for one, other in zip(collect(rest), expected, strict=True):
            for part, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize(
    ("data", "augmentation"),
    [("on disk", ["flip", "noise"]), ("in memory", ["flip", "mixup"])],
    indirect=["data"],
)
def test_workers_load_their_shares_of_the_same_batches(data, augmentation):
    data = data(augmentation=augmentation, balance="class_weights")
    batches = {
        "train": lambda share: data.training_batches(SIZE, epochs=1, share=share),
        "validation": lambda share: data.batches("validation", 4, share),
    }
    for batches_of in batches.values():
        whole = collect(batches_of(None))
        shares = [collect(batches_of(Share(first, first + 1, 2))) for first in range(2)]
        for batch, *parts in zip(whole, *shares, strict=True):
            assert {int(part[0]) for part in parts} == {len(batch[0])}
            sizes = [len(part[1]) for part in parts]
            assert max(sizes) - min(sizes) <= 1
            for number, values in enumerate(batch):
                found = np.concatenate([part[1 + number] for part in parts])
                np.testing.assert_allclose(found, values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "balance"),
    [("on disk", "none"), ("in memory", "oversample"), ("on disk", "balanced")],
    indirect=["data"],
)
def test_which_examples_a_batch_has(data, balance):
    """The images of any batch are those of the ids that are told for it."""
    data = data(balance=balance)
    epochs = epochs_of(data, collect(data.training_batches(SIZE, epochs=2)))
    known = data.examples("train")
    for epoch, step in ((0, 0), (1, 2), (1, len(epochs[1]) - 1)):
        told = data.training_batch_examples(SIZE, epoch, step)
        places = identify(data, epochs[epoch][step][0])
        np.testing.assert_array_equal(told.ids, known.ids[places])
        np.testing.assert_array_equal(told.labels, known.labels[places])


def test_each_epoch_has_every_example_once_in_another_order(data):
    data = data()
    count = len(data.examples("train").ids)
    batches = collect(data.training_batches(SIZE, epochs=EPOCHS))
    orders = []
    for epoch in epochs_of(data, batches):
        assert [len(images) for images, _ in epoch] == [SIZE] * (count // SIZE) + [count % SIZE]
        found = identify(data, np.concatenate([images for images, _ in epoch]))
        np.testing.assert_array_equal(np.sort(found), np.arange(count))
        labels = np.concatenate([labels for _, labels in epoch])
        np.testing.assert_array_equal(labels.argmax(axis=1), data.examples("train").labels[found])
        orders.append(found)
    assert len(orders) == EPOCHS
    for one, other in ((0, 1), (1, 2)):
        assert np.mean(orders[one] == orders[other]) < 0.2
    # Neither order is that of the records.
    assert all(np.mean(order == np.arange(count)) < 0.2 for order in orders)


@ON_DISK
def test_a_last_batch_that_is_too_small_joins_the_one_before(data):
    """As it must where each of several devices is to get an example of it."""
    data = data()
    count = len(data.examples("train").ids)
    size = (count - 1) // 4
    rest = count - 4 * size
    assert data.steps_per_epoch(size, smallest_batch=rest) == 5
    assert data.steps_per_epoch(size, smallest_batch=rest + 1) == 4
    plain = collect(data.training_batches(size, epochs=2))
    joined = collect(data.training_batches(size, epochs=2, smallest_batch=rest + 1))
    assert [len(images) for images, _ in joined] == 2 * [size, size, size, size + rest]
    for part in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([batch[part] for batch in joined]),
            np.concatenate([batch[part] for batch in plain]),
        )


def test_the_seed_changes_order_and_augmentation(in_memory):
    one = in_memory(augmentation=["rotate90"])
    images, _ = collect(one.training_batches(SIZE, epochs=1))[0]
    other = type(one)(one.experiment.model_copy(update={"seed": 5}), one.builder)
    others, _ = collect(other.training_batches(SIZE, epochs=1))[0]
    assert not np.array_equal(images, others)


def test_the_global_seed_of_tensorflow_does_not_matter(in_memory):
    data = in_memory(augmentation=["flip"])
    tf.random.set_seed(1)
    one = collect(data.training_batches(SIZE, epochs=1))
    tf.random.set_seed(2)
    other = collect(data.training_batches(SIZE, epochs=1))
    for (images, _), (same, _) in zip(one, other, strict=True):
        np.testing.assert_array_equal(images, same)


def test_an_example_is_rotated_differently_in_each_epoch(in_memory):
    data = in_memory(augmentation=["rotate90", "flip"])
    versions = {}
    images = np.concatenate([found for found, _ in collect(data.training_batches(SIZE, epochs=10))])
    for position, image in zip(identify(data, images), images, strict=True):
        versions.setdefault(position, set()).add(image.tobytes())
    # Ten draws of eight: fewer than three different ones has a probability of 1e-5.
    assert all(3 <= len(found) <= 8 for found in versions.values())


@IN_MEMORY
def test_oversampling_balances_exactly_with_different_turns(data):
    data = data(balance="oversample", augmentation=["flip", "rotate90"])
    larger = max(data.counts("train").values())
    for epoch in epochs_of(data, collect(data.training_batches(SIZE, epochs=EPOCHS))):
        labels = np.concatenate([labels for _, labels in epoch])
        np.testing.assert_array_equal(labels.sum(axis=0), [larger, larger])
        images = np.concatenate([images for images, _ in epoch])
        found = identify(data, images)
        np.testing.assert_array_equal(np.unique(found), np.arange(len(data.examples("train").ids)))
        copies = images[found == np.bincount(found).argmax()]
        assert len({copy.tobytes() for copy in copies}) > 1
    # The other splits stay as they are.
    assert sum(len(images) for images, _ in collect(data.batches("test", 4))) == len(
        data.examples("test").ids
    )


@ON_DISK
def test_each_batch_is_balanced(data):
    data = data(balance="balanced", augmentation=["flip", "rotate90"])
    count, rare = len(data.examples("train").ids), data.counts("train")["b"]
    often = np.zeros(count, int)
    epochs = epochs_of(data, collect(data.training_batches(SIZE, epochs=EPOCHS)))
    for epoch in epochs:
        assert sum(len(images) for images, _ in epoch) == count
        assert all(np.ptp(labels.sum(axis=0)) <= 1 for _, labels in epoch)
        images = np.concatenate([images for images, _ in epoch])
        labels = np.concatenate([labels for _, labels in epoch])
        found = identify(data, images)
        np.testing.assert_array_equal(labels.argmax(axis=1), data.examples("train").labels[found])
        often += np.bincount(found, minlength=count)
        copies = images[found == np.bincount(found).argmax()]
        assert len({copy.tobytes() for copy in copies}) > 1
    for label in (0, 1):
        assert np.ptp(often[data.examples("train").labels == label]) <= 1
    assert often[data.examples("train").labels == 1].min() >= EPOCHS * (count // 2) // rare
    # The other splits stay as they are.
    assert sum(len(images) for images, _ in collect(data.batches("test", 4))) == len(
        data.examples("test").ids
    )


def test_in_memory_and_on_disk_a_balanced_epoch_is_the_same(
    write_folder, make_experiment, monkeypatch
):
    experiment = make_experiment(write_folder({"a": 30, "b": 9}), balance="balanced")
    monkeypatch.setattr("lensnet.data.records.builder.SHARD_BYTES", 10 * 8 * 8 * 4)
    kept = collect(prepare(experiment).training_batches(SIZE, epochs=2))
    monkeypatch.setattr(split_data, "CACHE_BYTES", 0)
    streamed = collect(prepare(experiment).training_batches(SIZE, epochs=2))
    for one, other in zip(kept, streamed, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)


def test_mixed_labels_weigh_as_they_are_mixed(in_memory):
    data = in_memory(balance="class_weights", augmentation=["mixup"])
    weights = weights_by_class(data)
    for _, labels, given in collect(data.training_batches(SIZE, epochs=1)):
        np.testing.assert_allclose(given, labels @ weights, rtol=1e-6)
        assert np.any((labels > 0) & (labels < 1))


def test_class_weights_come_with_the_batches(in_memory):
    data = in_memory(balance="class_weights")
    weights = weights_by_class(data)
    counts = np.array(list(data.counts("train").values()))
    np.testing.assert_allclose(weights * counts, weights[0] * counts[0], rtol=1e-6)
    for _, labels, given in collect(data.training_batches(SIZE, epochs=1)):
        np.testing.assert_array_equal(given, weights[labels.argmax(axis=1)])


def test_ordered_batches_are_in_the_order_of_the_examples(data):
    data = data()
    for split in ("train", "validation", "test"):
        batches = collect(data.batches(split, 7))
        labels = np.concatenate([labels for _, labels in batches])
        np.testing.assert_array_equal(labels.argmax(axis=1), data.examples(split).labels)
        assert int(data.batches(split, 7).cardinality()) == len(batches)


def test_batches_are_known_in_number_and_shape(in_memory):
    batches = in_memory().training_batches(SIZE, epochs=2, first_epoch=1)
    assert int(batches.cardinality()) == sum(1 for _ in batches)
    assert batches.element_spec[0].shape.as_list() == [None, 8, 8, 1]
    assert batches.element_spec[1].shape.as_list() == [None, 2]
