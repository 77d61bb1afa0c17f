"""Rotated images against `np.rot90` and `scipy.ndimage.rotate`."""

import numpy as np
import pytest
import scipy.ndimage

from lensnet.evaluation.image_rotation import (
    angles_of,
    inscribed_disk,
    outside_median,
    rotate_in_disk,
    rotated_images,
)

pytestmark = pytest.mark.filterwarnings("error")


def noise(*shape, dtype=np.float32):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def test_angles():
    assert angles_of(4).tolist() == [0, 90, 180, 270]
    assert angles_of(12)[3] == 90.0  # exactly, so that it is rotated exactly


@pytest.mark.parametrize("rotations", [1, 0, -4, 2.5, True, None])
def test_bad_number_of_rotations(rotations):
    with pytest.raises(ValueError, match="rotations must be"):
        angles_of(rotations)


@pytest.mark.parametrize("size", [8, 9])
def test_right_angles_move_whole_images(size):
    images = noise(2, size, size, 3)
    for quarter, rotated in enumerate(rotated_images(images, 4)):
        np.testing.assert_array_equal(rotated, np.rot90(images, quarter, axes=(1, 2)))


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_right_angles_in_the_disk_equal_rot90(size, quarter):
    images = noise(2, size, size, 3)
    disk = inscribed_disk(size, size)
    reference = np.rot90(images, quarter, axes=(1, 2))
    exact = rotate_in_disk(images, 90.0 * quarter)
    np.testing.assert_array_equal(exact[:, disk], reference[:, disk])
    # The interpolation, put a hair beside the right angle, comes out at the same place.
    near = rotate_in_disk(images, 90.0 * quarter + 1e-4)
    np.testing.assert_allclose(near[:, disk], reference[:, disk], atol=1e-4)


@pytest.mark.parametrize("shape", [(16, 16), (17, 17), (12, 19)])
@pytest.mark.parametrize("angle", [7.0, 45.0, 120.0, 200.0, 359.0])
def test_other_angles_equal_scipy(shape, angle):
    images = noise(2, *shape, 2, dtype=np.float64)
    disk = inscribed_disk(*shape)
    reference = scipy.ndimage.rotate(
        images, angle, axes=(1, 2), reshape=False, order=1, mode="nearest"
    )
    rotated = rotate_in_disk(images, angle)
    np.testing.assert_allclose(rotated[:, disk], reference[:, disk], atol=1e-12)


def test_disk_is_symmetric_and_touches_the_border():
    for size in (8, 9, 64):
        disk = inscribed_disk(size, size)
        for rotated in (np.rot90(disk), disk[::-1]):
            np.testing.assert_array_equal(disk, rotated)
        assert disk[0].any() == (size % 2 == 1)  # only an odd size has a pixel at the very edge
    # Radius 31.5 pixels in a square of 64.
    assert disk.mean() == pytest.approx(np.pi * 31.5**2 / 64**2, abs=0.01)


@pytest.mark.parametrize("rotations", [8, 3])
def test_outside_is_one_median_at_every_angle(rotations):
    images = noise(2, 9, 9, 2)
    outside = ~inscribed_disk(9, 9)
    medians = np.median(images[:, outside], axis=1)
    np.testing.assert_array_equal(outside_median(images)[:, 0], medians)
    for rotated in rotated_images(images, rotations):
        np.testing.assert_array_equal(
            rotated[:, outside], np.broadcast_to(medians[:, None], rotated[:, outside].shape)
        )


def test_input_is_left_alone():
    images = noise(2, 9, 9, 1)
    before = images.copy()
    for rotated in rotated_images(images, 8):
        rotated[:] = 7
    np.testing.assert_array_equal(images, before)


def test_sizes_that_cannot_be_turned():
    with pytest.raises(ValueError, match="90 degrees.*8x9"):
        next(rotated_images(noise(1, 8, 9, 1), 8))
    with pytest.raises(ValueError, match="3x3"):
        next(rotated_images(noise(1, 2, 2, 1), 8))
    assert next(rotated_images(noise(1, 8, 9, 1), 2)).shape == (1, 8, 9, 1)
