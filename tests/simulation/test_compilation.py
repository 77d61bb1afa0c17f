"""Compiled kernels where numba can keep machine code, and where it cannot."""

import numba
import pytest

from lensnet.simulation.compilation import compiled


def halved(value):
    return value / 2.0


def test_machine_code_is_kept():
    kernel = compiled(halved)
    assert kernel(3.0) == 1.5
    assert kernel.stats.cache_path


def test_a_place_that_cannot_be_written_does_not_stop_the_kernel(monkeypatch):
    """What numba says where it finds no place for its cache, as on a read-only installation."""
    njit = numba.njit

    def refuse_to_cache(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'halved': no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", refuse_to_cache)
    assert compiled(halved)(3.0) == 1.5


def test_dividing_by_zero_is_not_an_error():
    @compiled
    def inverse(value):
        return 1.0 / value

    assert inverse(0.0) == pytest.approx(float("inf"))
