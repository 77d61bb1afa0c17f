"""Training on images that are simulated meanwhile: which they are, and what is prepared."""

import numpy as np
import pattern_dataset
import pytest
from simulated_patterns import Means, Patterns

from lensnet.data import open_prepared, prepare
from lensnet.data.pipeline import fresh_stream
from lensnet.data.pipeline.share import Share
from lensnet.data.pipeline.split_data import SplitData
from lensnet.data.sources.fresh_images import FreshImages
from lensnet.errors import LensnetError

SIZE = 8


@pytest.fixture
def make_data(make_experiment, monkeypatch):
    """Prepares a simulated set, by default with fresh images and as they are simulated."""
    pattern_dataset.register()
    # One process starts in half the time of two, and the images are the same.
    monkeypatch.setattr(fresh_stream, "available_cpus", lambda: 1)

    def make(name="classes", task="classification", **options):
        training = options.pop("training", {})
        data = {"normalization": "none", "augmentation": [], "fresh": True, **options}
        experiment = make_experiment(None, task=task, dataset=f"pattern_dataset/{name}", **data)
        changed = experiment.training.model_copy(update=training)
        return prepare(experiment.model_copy(update={"training": changed}))

    return make


def collect(data, batches):
    with data.feeding():
        return [tuple(part.numpy() for part in batch) for batch in batches]


def test_a_stream_begun_at_any_batch_is_the_same(make_data):
    """Its random changes and mixtures included."""
    varied = ["flip", "noise", "mixup"]
    data = make_data(augmentation=varied, training={"steps_per_epoch": 3})
    whole = collect(data, data.training_batches(SIZE, epochs=2))
    assert [len(images) for images, _ in whole] == [SIZE] * 6
    for epoch, step in ((0, 2), (1, 1)):
        batches = data.training_batches(SIZE, first_epoch=epoch, first_step=step, epochs=2)
        assert int(batches.cardinality()) == 6 - 3 * epoch - step
        for one, other in zip(whole[3 * epoch + step :], collect(data, batches), strict=True):
            for part, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(part, same)


def test_workers_make_their_shares_of_the_same_batches(make_data):
    """Where images are mixed; of those that are not, a prepared set's workers load theirs alike."""
    data = make_data(augmentation=["flip", "mixup"], training={"steps_per_epoch": 2})
    whole = collect(data, data.training_batches(SIZE, epochs=1))
    shares = [
        collect(data, data.training_batches(SIZE, epochs=1, share=Share(first, first + 1, 3)))
        for first in range(3)
    ]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert {int(part[0]) for part in parts} == {SIZE}
        for number, values in enumerate(batch):
            found = np.concatenate([part[1 + number] for part in parts])
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-6)


def test_images_are_new_in_every_epoch_and_none_is_validated_on(make_data):
    data = make_data(training={"steps_per_epoch": 3})
    batches = collect(data, data.training_batches(SIZE, epochs=2))
    known = [
        image
        for split in ("train", "validation", "test")
        for images, _ in data.batches(split, 64)
        for image in images.numpy()
    ]
    trained = [image for images, _ in batches for image in images]
    assert len({image.tobytes() for image in [*trained, *known]}) == 48 + len(known)
    simulator = Patterns()
    for epoch, step in ((0, 0), (1, 2)):
        images, labels = batches[3 * epoch + step]
        told = data.training_batch_examples(SIZE, epoch, step)
        np.testing.assert_array_equal(labels.argmax(axis=1), told.labels)
        jobs = FreshImages(simulator, seed=0).jobs(epoch, np.arange(SIZE) + step * SIZE)
        for name, job, image in zip(told.ids, jobs, images, strict=True):
            assert name == f"fresh/{epoch + 1}/{job[0]}/{job[1]}"
            np.testing.assert_array_equal(image, simulator.simulate(*job).image)


def test_networks_of_other_seeds_see_other_images(make_data):
    one, other = (make_data(network_seed=seed) for seed in (0, 1))
    assert one.directory == other.directory
    pairs = [collect(data, data.training_batches(SIZE, epochs=1)) for data in (one, other)]
    assert not np.array_equal(pairs[0][0][0], pairs[1][0][0])


def test_validation_and_test_are_those_of_the_set_that_is_prepared_as_a_whole(
    make_data, monkeypatch
):
    """Of training a sample is prepared, the same whatever the training is like."""
    monkeypatch.setattr("lensnet.data.records.sampling.FRESH_SAMPLE", 15)
    whole, fresh = make_data(fresh=False), make_data()
    assert fresh.counts("train") == {"a": 5, "b": 5, "c": 5}
    assert set(fresh.examples("train").ids) < set(whole.examples("train").ids)
    for split in ("validation", "test"):
        np.testing.assert_array_equal(fresh.examples(split).ids, whole.examples(split).ids)
        for one, other in zip(fresh.batches(split, 9), whole.batches(split, 9), strict=True):
            np.testing.assert_array_equal(one[0], other[0])
    # As many images as there would be, in whole batches, unless it is said otherwise.
    assert whole.examples_per_epoch == 48 and fresh.steps_per_epoch(SIZE) == 6
    assert fresh.steps_per_epoch(7) == 7 and fresh.examples_per_epoch == 64
    assert fresh.training_counts == {"a": 22, "b": 21, "c": 21}
    longer = make_data(training={"steps_per_epoch": 10, "batch_size": 4}, network_seed=3)
    assert longer.examples_per_epoch == 40 and longer.directory == fresh.directory
    again = open_prepared(longer.experiment, longer.records, longer.preprocessing)
    assert again.steps_per_epoch(4) == 10


def test_targets_of_a_regression(make_data):
    data = make_data("targets", "regression", training={"steps_per_epoch": 2})
    batches = collect(data, data.training_batches(SIZE, epochs=2))
    for number, (_, targets) in enumerate(batches):
        told = data.training_batch_examples(SIZE, *divmod(number, 2))
        np.testing.assert_array_equal(targets[:, 0], told.labels.astype(np.float32))
    drawn = np.concatenate([targets for _, targets in batches])
    assert len(np.unique(drawn)) == 32
    assert Means().simulate(*FreshImages(Means(), 0).jobs(1, np.arange(16))[15]).target == drawn[-1]
    assert data.training_counts == {"all": 128}
    # In a form that is learned by the sample.
    assert data.target_transform.mean == pytest.approx(data.examples("train").labels.mean())


def test_a_simulator_that_fails_is_told_of_in_one_line(make_data):
    """TensorFlow alone would say that a Python function raised an error, and its traceback."""
    data = make_data()
    fresh = FreshImages(Patterns(does="raise"), seed=0)
    training = fresh_stream.FreshTraining(fresh, [], steps_per_epoch=2, planned=0)
    known = SplitData(None, None, data.preprocessing)
    with pytest.raises(LensnetError, match="The simulator Patterns failed: image 5 of seed"):
        with training.feeding():
            stream = training.stream(known, SIZE, lambda labels: np.eye(3, dtype="f4")[labels])
            for _ in stream.batches(0, 1):
                pass


def test_a_step_that_an_epoch_has_not(make_data):
    data = make_data(training={"steps_per_epoch": 3})
    with pytest.raises(ValueError, match="first_step must be from 0 to the 3 batches"):
        data.training_batches(SIZE, first_step=4, epochs=1)
