"""Which images an epoch has, and how far ahead they are made."""

import contextlib
import itertools

import numpy as np
import pytest
from simulated_patterns import Means, Patterns

from lensnet.data.sources.fresh_images import FreshImages, simulate_ahead
from lensnet.simulation.workers import SimulationWorkers

POSITIONS = np.arange(300)


def test_every_run_of_three_has_each_of_three_classes_in_changing_order():
    labels = FreshImages(Patterns(), seed=1).labels(2, POSITIONS).reshape(-1, 3)
    np.testing.assert_array_equal(np.sort(labels, axis=1), np.tile([0, 1, 2], (100, 1)))
    orders = {tuple(row) for row in labels.tolist()}
    assert len(orders) == 6
    # Whatever is asked for at once.
    parts = [FreshImages(Patterns(), seed=1).labels(2, part) for part in np.split(POSITIONS, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), labels.ravel())


def test_no_image_comes_twice_and_none_is_a_prepared_one():
    """Images differ where class, index or seed do; prepared ones have the seeds of people."""
    jobs = [
        job
        for seed, epoch in itertools.product((0, 1, 2**31 - 1), range(50))
        for job in FreshImages(Patterns(), seed).jobs(epoch, POSITIONS)
    ]
    assert len(set(jobs)) == len(jobs)
    seeds = {seed for _, _, seed in jobs}
    assert len(seeds) == 150 and 2**62 <= min(seeds) and max(seeds) < 2**63


def test_a_regression_has_no_classes():
    fresh = FreshImages(Means(), seed=0)
    assert {name for name, _, _ in fresh.jobs(0, POSITIONS)} == {None}
    assert fresh.ids(0, POSITIONS[:2]).tolist() == ["fresh/1/image/0", "fresh/1/image/1"]
    made = [Means().simulate(*job).target for job in fresh.jobs(3, POSITIONS[:4])]
    assert fresh.targets(3, POSITIONS[:4]).tolist() == made


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_are_the_same_whoever_makes_them_and_few_are_made_ahead(processes):
    """Of 10 images of 8 pixels a part is a batch, and each process has two parts to make."""
    fresh, taken = FreshImages(Patterns(), seed=4), []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield divmod(number, 5)[0], np.arange(10) + 10 * (number % 5)

    with contextlib.closing(SimulationWorkers(fresh.simulator, processes)) as workers:
        made = simulate_ahead(fresh, workers, endless())
        for number, (epoch, positions, images, targets) in enumerate(itertools.islice(made, 12)):
            assert (epoch, positions[0], targets) == (number // 5, 10 * (number % 5), None)
            assert len(taken) <= number + 1 + 2 * processes
            for job, image in zip(fresh.jobs(epoch, positions), images, strict=True):
                np.testing.assert_array_equal(image, fresh.simulator.simulate(*job).image)


def test_two_go_through_the_images_of_one_process_at_a_time():
    """As an average of weights that measures an epoch's images while the next one has begun."""
    fresh = FreshImages(Means(), seed=4)
    with contextlib.closing(SimulationWorkers(fresh.simulator, 1)) as workers:
        one, other = (
            simulate_ahead(fresh, workers, [(epoch, np.arange(4))] * 3) for epoch in (0, 1)
        )
        next(one)
        for _ in range(3):
            _, positions, _, targets = next(other)
            np.testing.assert_array_equal(targets, fresh.targets(1, positions))
        for _ in range(2):
            np.testing.assert_array_equal(next(one)[3], fresh.targets(0, np.arange(4)))
        assert next(one, None) is None
