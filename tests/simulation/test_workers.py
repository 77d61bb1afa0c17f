"""Processes that simulate on demand: what they give, and how they end."""

import multiprocessing
import threading

import numpy as np
import pytest
from simulated_patterns import Means, Patterns

from lensnet.errors import LensnetError
from lensnet.simulation.workers import SimulationWorkers, WorkersClosed

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("ignore:.*divide by zero")]


@pytest.fixture
def start():
    """Starts processes, and sees that none is left."""
    before = set(multiprocessing.active_children())
    started = []

    def start(simulator, processes=1):
        started.append(SimulationWorkers(simulator, processes))
        return started[-1]

    yield start
    for workers in started:
        workers.close()
    assert set(multiprocessing.active_children()) <= before


def ask(workers, jobs):
    size = workers.simulator.image_size
    images = np.empty((len(jobs), size, size, 1), np.float32)
    targets = None if workers.simulator.classes else np.empty(len(jobs))
    return workers.ask(jobs, images, targets)


@pytest.mark.parametrize("processes", [1, 2])
def test_images_are_the_simulators_in_whatever_order_they_are_taken(start, processes):
    simulator = Patterns()
    workers = start(simulator, processes)
    jobs = [("abc"[n % 3], n, 2**62 + 7) for n in range(24)]
    requests = [ask(workers, jobs[at : at + 4]) for at in range(0, 24, 4)]
    for number in (5, 0, 3, 1, 2, 4):
        workers.wait(requests[number])
        for job, image in zip(jobs[4 * number :], requests[number].images, strict=False):
            np.testing.assert_array_equal(image, simulator.simulate(*job).image)


def test_targets_come_with_their_images(start):
    workers = start(Means())
    request = ask(workers, [(None, index, 3) for index in range(3)])
    workers.wait(request)
    np.testing.assert_allclose(request.targets, request.images.mean(axis=(1, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("raise", r'Patterns failed: image 5 of seed 9, class "a": ValueError: no light at all\.$'),
        ("shape", r"has the shape \(7, 8, 1\), and not \(8, 8, 1\)"),
        ("infinite", r"pixels that are not finite"),
        ("die", r"simulates images was killed by signal 9\. There may be too little memory"),
    ],
)
def test_what_goes_wrong_is_one_line(start, does, message):
    workers = start(Patterns(does=does))
    good, bad = ask(workers, [("a", 4, 9)]), ask(workers, [("a", 4, 9), ("a", 5, 9)])
    workers.wait(good)
    with pytest.raises(LensnetError, match=message) as caught:
        workers.wait(bad)
    assert "\n" not in str(caught.value)
    assert workers.failure is caught.value
    with pytest.raises(WorkersClosed):
        ask(workers, [("a", 4, 9)])


def test_a_target_that_is_missing(start):
    workers = start(Means(does="target"))
    with pytest.raises(LensnetError, match="image 5 of seed 0 has the target None"):
        workers.wait(ask(workers, [(None, 5, 0)]))


def test_closing_ends_a_simulation_under_way_and_whoever_waits_for_it(start):
    workers = start(Patterns(does="hang"))
    workers.wait(ask(workers, [("a", 1, 0)]))
    hanging, found = ask(workers, [("a", 5, 0)]), []

    def wait():
        try:
            workers.wait(hanging)
        except WorkersClosed as error:
            found.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    workers.close()
    waiting.join(30)
    assert found and workers.failure is None


def test_a_simulator_that_no_process_can_be_given(start):
    workers = start(Patterns(does=lambda: None))
    with pytest.raises(LensnetError, match="No process can be started that simulates images: "):
        ask(workers, [("a", 0, 0)])


def test_processes_end_when_nobody_holds_them():
    before = set(multiprocessing.active_children())
    workers = SimulationWorkers(Patterns(), 1)
    request = ask(workers, [("a", 0, 0)])
    workers.wait(request)
    del workers, request
    assert set(multiprocessing.active_children()) <= before
