"""Arcs in images: their flux, their blur, their noise, and what stays as it was."""

import math

import numpy as np
import pytest

from lensnet.errors import ConfigurationError, DataError
from lensnet.selection.arcs import ArcRanges, draw_arc, lensed_flux
from lensnet.selection.galaxies import GalaxyShape, background_noise, measure_shape
from lensnet.selection.painting import Photometry, paint_arc
from lensnet.selection.point_spread import gaussian_kernel
from lensnet.simulation.rendering import render
from lensnet.simulation.scene import GaussianPsf, PixelGrid, Scene, SersicLight, ellipticity

pytestmark = pytest.mark.filterwarnings("error")

SCALE, ZERO_POINT, FWHM = 0.2, 25.0, 0.7
RANGES = ArcRanges((0.8, 1.6), (20.0, 22.0))


def photometry(bands=1, gains=(math.inf,)):
    kernels = (gaussian_kernel(FWHM / SCALE),) * bands
    return Photometry.of_bands(bands, SCALE, (ZERO_POINT,), gains, kernels)


def sky(shape=(60, 60, 1), noise=0.02, seed=0):
    image = np.random.default_rng(seed).normal(0.5, noise, shape)
    return image.astype(np.float32)


def test_an_arc_adds_the_flux_of_its_magnitude_and_leaves_the_image_as_it_was():
    image = sky((90, 91, 2))
    painted = paint_arc(image, photometry(2), RANGES, "one", 0, 0)
    added = painted.image.astype(np.float64) - image
    flux = 10 ** (-0.4 * (painted.truth["arc_magnitude"] - ZERO_POINT))
    # The image holds the arc but for a disc's faint edge; float32 rounds at 5e-8 of 0.5 a pixel.
    np.testing.assert_allclose(added.sum(axis=(0, 1)), flux, rtol=5e-3)
    assert np.abs(added[:8]).max() < 1e-4 * added.max()
    source = painted.truth["source_magnitude"] - 2.5 * math.log10(painted.truth["magnification"])
    assert source == pytest.approx(painted.truth["arc_magnitude"])
    assert 20 <= painted.truth["source_magnitude"] <= 22
    assert 0.8 <= painted.truth["einstein_radius_arcsec"] <= 1.6


def test_an_arc_is_that_which_the_simulation_draws():
    # Its own renderer, with its own blurring, and both parities of sides.
    for side in (60, 61):
        image = sky((side, side, 1))
        painted = paint_arc(image, photometry(), RANGES, "one", 3, 5)
        _, noise = background_noise(image)
        assert noise == pytest.approx(0.02, rel=0.1)
        from lensnet.simulation.seeding import random_generators

        random, _ = random_generators("selection/one", 3, 5, count=2)
        bare = image[..., 0].astype(np.float64) - background_noise(image)[0]
        shape = measure_shape(bare, RANGES.einstein_radius_arcsec[0] / SCALE)
        arc = draw_arc(random, RANGES, 3, shape, SCALE)
        scene = Scene(GaussianPsf(FWHM, 4.5), lens=arc.lens, sources=(arc.source,))
        flux = 10 ** (-0.4 * (painted.truth["source_magnitude"] - ZERO_POINT))
        expected = flux * render(scene, PixelGrid(side, SCALE, 4))
        added = painted.image[..., 0].astype(np.float64) - image[..., 0]
        np.testing.assert_allclose(added, expected, atol=2e-3 * expected.max())


def test_sides_of_two_parities_keep_the_arc_in_the_middle():
    wide = paint_arc(sky((60, 61, 1), noise=0), photometry(), RANGES, "one", 0, 0).image - 0.5
    high = paint_arc(sky((61, 60, 1), noise=0), photometry(), RANGES, "one", 0, 0).image - 0.5
    # The same arc, measured from either middle.
    shifts = []
    for added in (wide, high):
        light = added[..., 0] / added.sum()
        rows, columns = np.indices(light.shape)
        shifts.append(
            [
                (light * rows).sum() - (light.shape[0] - 1) / 2,
                (light * columns).sum() - (light.shape[1] - 1) / 2,
            ]
        )
    assert shifts[0] == pytest.approx(shifts[1], abs=0.02)


def test_an_arc_brings_the_photon_noise_of_its_own_light():
    image, gain = sky(noise=0.0), 50.0
    quiet = paint_arc(image, photometry(), RANGES, "one", 0, 0).image - image
    pulls = []
    for seed in range(25):
        described = photometry(gains=(gain,))
        # The arc depends on the seed too: each against its own without noise.
        noisy = paint_arc(image, described, RANGES, "one", 0, seed).image
        model = paint_arc(image, photometry(), RANGES, "one", 0, seed).image - image
        bright = model > 5 / gain
        pulls.append((noisy - image - model)[bright] / np.sqrt(model[bright] / gain))
    values = np.concatenate(pulls)
    assert np.mean(values) == pytest.approx(0, abs=4 / np.sqrt(len(values)))
    assert np.std(values) == pytest.approx(1, abs=0.04)
    assert quiet.min() >= 0


def test_the_signal_to_noise_asked_for_is_reached():
    ranges = ArcRanges((0.8, 1.6), signal_to_noise=(10.0, 100.0))
    image = sky(noise=0.05)
    for number in range(5):
        painted = paint_arc(image, photometry(gains=(30.0,)), ranges, "one", number, 0)
        wanted = painted.truth["signal_to_noise"]
        assert 10 <= wanted <= 100
        without = paint_arc(image, photometry(), ranges, "one", number, 0)
        light = without.image.astype(np.float64) - image
        # By hand, of the sky alone: the same draw, whose arcs have no noise of their own.
        own = np.sqrt(np.sum(light**2) / background_noise(image)[1][0] ** 2)
        assert without.truth["signal_to_noise"] == pytest.approx(wanted, rel=1e-6)
        assert own == pytest.approx(wanted, rel=1e-3)
    with pytest.raises(DataError, match="no noise"):
        paint_arc(np.zeros((40, 40, 1), np.float32), photometry(), ranges, "one", 0, 0)


def test_a_grid_goes_through_all_cells_and_colors_are_magnitudes():
    ranges = ArcRanges((1.0, 4.0), (20.0, 24.0), cells=2)
    random = np.random.default_rng(0)
    assert [ranges.place(number, random) for number in range(5)] == [
        (0.25, 0.25),
        (0.25, 0.75),
        (0.75, 0.25),
        (0.75, 0.75),
        (0.25, 0.25),
    ]
    image = sky((70, 70, 2), noise=0)
    red = paint_arc(image, photometry(2), ArcRanges(colors=(1.0,)), "one", 0, 0).image - image
    assert red[..., 0].sum() / red[..., 1].sum() == pytest.approx(10**0.4, rel=1e-3)
    with pytest.raises(ConfigurationError, match="--color"):
        paint_arc(image, photometry(2), ArcRanges(colors=(1.0, 2.0)), "one", 0, 0)


def test_the_shape_of_a_galaxy_is_measured():
    # Far larger than a pixel, so that sampling changes nothing.
    e1, e2 = ellipticity(0.6, 0.7)
    light = SersicLight(1.0, 1.5, 1.0, e1, e2, center_x_arcsec=0.5, center_y_arcsec=-0.3)
    scene = Scene(GaussianPsf(0.2, 3.0), foreground=(light,))
    image = render(scene, PixelGrid(80, SCALE, 2))
    found = measure_shape(image, 5.0)
    assert found.center_pixels == pytest.approx((-0.3 / SCALE, 0.5 / SCALE), abs=0.05)
    assert found.axis_ratio == pytest.approx(0.6, abs=0.03)
    assert found.angle_radian == pytest.approx(0.7, abs=0.02)
    assert measure_shape(-np.ones((20, 20)), 3.0) == GalaxyShape((0.0, 0.0), 1.0, 0.0)


def test_magnification_is_that_of_the_image():
    random = np.random.default_rng(0)
    arc = draw_arc(random, RANGES, 0, GalaxyShape((0.0, 0.0), 0.8, 0.3), SCALE)
    # On pixels a quarter as large as those of the images.
    flux = lensed_flux(arc, 400, SCALE / 4).sum()
    assert flux == pytest.approx(arc.magnification, rel=5e-3)
    assert arc.magnification > 1.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"einstein_radius_arcsec": (2.0, 1.0)}, "--einstein-radius"),
        ({"signal_to_noise": (0.0, 1.0)}, "--signal-to-noise"),
        ({"source_magnitude": (25.0, 20.0)}, "--source-magnitude"),
    ],
)
def test_ranges_that_make_no_sense(wrong, words):
    with pytest.raises(ConfigurationError, match=words):
        ArcRanges(**wrong)


def test_photometry_that_does_not_fit_the_bands():
    kernel = gaussian_kernel(3.0)
    with pytest.raises(ConfigurationError, match="one zero point"):
        Photometry.of_bands(3, SCALE, (25.0, 25.0), (1.0,), (kernel,) * 3)
    with pytest.raises(ConfigurationError, match="above 0"):
        Photometry.of_bands(1, SCALE, (25.0,), (0.0,), (kernel,))
