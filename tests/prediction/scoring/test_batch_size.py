"""The batch size that is found, by what batches of each size are said to take."""

import pytest

from lensnet.prediction.scoring import batch_size
from lensnet.prediction.scoring.batch_size import choose_batch_size, free_memory


def chosen(monkeypatch, seconds, free=1e12, rows=100_000):
    tried = []

    def quickest(score, batch):
        tried.append(len(batch))
        return seconds(len(batch))

    monkeypatch.setattr(batch_size, "_quickest", quickest)
    monkeypatch.setattr(batch_size, "free_memory", lambda: free)
    return choose_batch_size(lambda images: None, (8, 8, 1), rows), tried


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda size: 0.01, 1024),  # costs the same whatever its size: the largest
        (lambda size: 0.001 * size, 32),  # costs by the image: the smallest
        (lambda size: 0.0002 * max(size, 250), 256),  # until the device is full
        (lambda size: 1.0, 32),  # so long that nothing else counts
    ],
)
def test_as_many_as_make_it_quicker(monkeypatch, seconds, expected):
    size, tried = chosen(monkeypatch, seconds)
    assert size == expected and max(tried) <= 1024


def test_no_more_than_fits(monkeypatch):
    # Five batches of 64 images of 256 bytes are half of a quarter of this; of 32, less.
    assert chosen(monkeypatch, lambda size: 0.01, free=2.5e5)[0] == 64


def test_few_images_are_not_worth_the_search(monkeypatch):
    assert chosen(monkeypatch, lambda size: 0.01, rows=100) == (64, [])


def test_the_memory_that_is_free_is_known():
    assert 2**20 < free_memory() < 2**50
