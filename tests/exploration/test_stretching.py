"""Images for the eye: the same in any unit, and what is bright does not hide what is faint."""

import numpy as np
import pytest

from lensnet.exploration.bands import colour_channels
from lensnet.exploration.stretching import colour_picture, grey_picture


def arc_beside_galaxy():
    """Sky of sigma 1, an arc of 10 sigma, and a galaxy of 10,000."""
    image = np.random.default_rng(0).normal(100.0, 1.0, (64, 64))
    image[10:12, 10:50] += 10
    image[30:34, 30:34] += 1e4
    return image


def test_an_arc_shows_beside_a_galaxy():
    picture = grey_picture(arc_beside_galaxy())
    sky, arc = np.median(picture), picture[10:12, 10:50].mean()
    # asinh(12 / 3) - asinh(2 / 3) of asinh(10,000 / 3), the black being 2 sigma below the sky.
    assert arc - sky > 0.13
    assert picture[30:34, 30:34].min() > 0.999 and picture.min() == 0


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_units_do_not_matter(scale):
    image = arc_beside_galaxy()
    np.testing.assert_allclose(grey_picture(scale * image), grey_picture(image), atol=1e-9)


def test_rotating_the_image_rotates_the_picture():
    image = arc_beside_galaxy()
    np.testing.assert_array_equal(grey_picture(np.rot90(image)), np.rot90(grey_picture(image)))


def test_nothing_but_sky_stays_dark():
    sky = np.random.default_rng(0).normal(0.0, 1.0, (64, 64))
    assert np.median(grey_picture(sky)) < 0.4


def test_an_image_without_noise():
    image = np.zeros((32, 32))
    image[4, 4] = 1e-12
    picture = grey_picture(image)
    assert picture[4, 4] == 1 and np.count_nonzero(picture) == 1


def test_a_bright_source_keeps_its_colour():
    image = np.zeros((32, 32, 3))
    image += np.random.default_rng(0).normal(0.0, 1.0, image.shape)
    image[10:14, 10:14] += [4000, 2000, 1000]
    picture = colour_picture(image, (0, 1, 2), (1.0, 1.0, 1.0))
    red, green, blue = picture[10:14, 10:14].mean(axis=(0, 1))
    assert red == pytest.approx(1) and green == pytest.approx(0.5, abs=0.01)
    assert blue == pytest.approx(0.25, abs=0.01)
    assert picture.min() >= 0 and picture.max() <= 1


def test_brightness_balances_the_bands():
    image = np.random.default_rng(0).normal(0.0, 1.0, (32, 32, 3))
    image[10:14, 10:14] += 1000
    scaled = image * [1e-12, 1.0, 1e3]
    np.testing.assert_allclose(
        colour_picture(scaled, (0, 1, 2), (1e-12, 1.0, 1e3)),
        colour_picture(image, (0, 1, 2), (1.0, 1.0, 1.0)),
        atol=1e-9,
    )


def test_channels_of_two_bands_make_no_colour():
    assert colour_channels(("g", "r")) is None
    assert colour_channels(("z", "g", "r")) == (0, 2, 1)
