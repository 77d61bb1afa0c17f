"""Images before noise against lenstronomy's, and the parts against formulas of their own."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, ndimage

from lensnet.simulation import (
    HaloMassSimulator,
    LensFindingSimulator,
    SubstructureSimulator,
    render_with_lenstronomy,
)
from lensnet.simulation.deflection import source_plane_positions
from lensnet.simulation.psf import blur
from lensnet.simulation.rendering import render, render_unblurred
from lensnet.simulation.scene import (
    GaussianPsf,
    IsothermalLens,
    PixelGrid,
    PointMasses,
    Scene,
    SersicLight,
    ellipticity,
)
from lensnet.simulation.sersic import effective_area, reach_arcsec, surface_brightness, total_flux

PSF = GaussianPsf(fwhm_arcsec=0.7, truncation_sigma=4.0)

SIMULATED = [
    (SubstructureSimulator(), "no_sub"),
    (SubstructureSimulator(), "cdm"),
    (SubstructureSimulator(), "axion"),
    (SubstructureSimulator(image_size=64), "axion"),
    (SubstructureSimulator(image_size=33, supersampling=3), "cdm"),
    (HaloMassSimulator(image_size=65), None),
    (LensFindingSimulator(), "nonlens"),
    (LensFindingSimulator(), "lens"),
    (LensFindingSimulator(image_size=48, supersampling=1), "lens"),
]


@pytest.mark.parametrize(("simulator", "class_name"), SIMULATED)
def test_images_equal_lenstronomys(simulator, class_name):
    """To 1e-6 of the brightest pixel; and to 1e-12 in all but a pixel.

    A sampling point at the centre of the lens is 1e-16 off it in lenstronomy's grid, and the core
    of the lens is 1e-10 wide: there rounding decides the direction of the deflection.
    """
    for index in range(3):
        ours = simulator.noise_free(class_name, index, seed=3)
        scene = simulator.scene(class_name, index, seed=3)
        theirs = render_with_lenstronomy(scene, simulator.grid)
        assert theirs.max() > 0
        differences = np.sort(np.abs(ours - theirs).ravel()) / theirs.max()
        assert differences[-1] < 1e-6
        assert differences[-2] < 1e-12


@pytest.mark.parametrize("num_masses", [0, 1, 4, 7])
def test_random_scenes_equal_lenstronomys(num_masses):
    """Parameters that no simulator draws, and numbers of masses that do not fill fours."""
    rng = np.random.default_rng(num_masses)
    lens = IsothermalLens(1.3, *rng.uniform(-0.3, 0.3, 2), *rng.uniform(-0.1, 0.1, 2), 0.2, -0.1)
    masses = PointMasses(*rng.uniform(0.05, 1.0, (3, num_masses)))
    sources = tuple(
        SersicLight(1.0, 0.3, index, *rng.uniform(-0.3, 0.3, 2), *rng.uniform(-0.4, 0.4, 2))
        for index in (0.5, 1.0, 4.0)
    )
    foreground = (SersicLight(0.3, 0.8, 4.0, 0.2, -0.1, 0.1, 0.3),)
    scene = Scene(PSF, lens, masses, sources, foreground)
    grid = PixelGrid(size=41, pixel_scale_arcsec=0.2, supersampling=2)
    theirs = render_with_lenstronomy(scene, grid)
    np.testing.assert_allclose(render(scene, grid), theirs, rtol=0, atol=1e-12 * theirs.max())


def test_a_round_lens_pulls_by_its_einstein_radius():
    grid = PixelGrid(size=20, pixel_scale_arcsec=0.3)
    x, y = source_plane_positions(grid, IsothermalLens(1.5), PointMasses())
    axis = (np.arange(20) - 9.5) * 0.3
    distance = np.hypot(axis, axis[:, None])
    # The formula is evaluated at q = 1 - 1e-8, as in lenstronomy.
    np.testing.assert_allclose(np.hypot(x, y), np.abs(distance - 1.5), atol=1e-7)


def test_point_masses_pull_as_their_squared_radius_over_distance():
    grid = PixelGrid(size=3, pixel_scale_arcsec=1.0)
    masses = PointMasses(np.array([0.5]), np.array([0.0]), np.array([0.0]))
    x, y = source_plane_positions(grid, IsothermalLens(0.0), masses)
    np.testing.assert_allclose(x[1], [-1 + 0.25, 0.0, 1 - 0.25])
    np.testing.assert_allclose(y[:, 0], [-1 + 0.125, 0.0, 1 - 0.125])


def test_a_mass_on_a_sampling_point_leaves_no_nan():
    grid = PixelGrid(size=5, pixel_scale_arcsec=0.5)
    masses = PointMasses(np.full(2, 0.3), np.zeros(2), np.array([0.0, 0.5]))
    scene = Scene(PSF, IsothermalLens(1.0), masses, sources=(SersicLight(1.0, 0.3, 1.0),))
    assert np.isfinite(render(scene, grid)).all()


@pytest.mark.parametrize("sersic_index", [0.5, 1.0, 2.3, 4.0])
def test_sersic_integrals(sersic_index):
    """Flux and effective area against integrals over the profile's radius."""

    def brightness(radius):
        light = SersicLight(1.0, 0.7, sersic_index)
        return surface_brightness(light, np.array([[radius]]), np.zeros((1, 1))).item()

    def integral(power):
        # In ln R, in which the cusp at the centre of a high index is smooth.
        return integrate.quad(
            lambda t: 2 * math.pi * math.exp(2 * t) * brightness(math.exp(t)) ** power,
            -12,
            9,
            limit=200,
        )[0]

    # The profile is flat in the innermost 1e-4 arcsec, which the formulas leave out.
    assert total_flux(0.7, sersic_index) == pytest.approx(integral(1), rel=2e-4)
    assert effective_area(0.7, sersic_index) == pytest.approx(
        integral(1) ** 2 / integral(2), rel=2e-3
    )


def test_the_half_light_ellipse():
    """Brightness is the amplitude on an ellipse whose semi-axes multiply to the radius squared."""
    axis_ratio, angle = 0.4, 0.6
    e1, e2 = ellipticity(axis_ratio, angle)
    light = SersicLight(2.0, 0.5, 3.0, e1, e2)
    major, minor = 0.5 / math.sqrt(axis_ratio), 0.5 * math.sqrt(axis_ratio)
    x = np.array([[major * math.cos(angle), -minor * math.sin(angle)]])
    y = np.array([[major * math.sin(angle), minor * math.cos(angle)]])
    np.testing.assert_allclose(surface_brightness(light, x, y), 2.0)
    assert reach_arcsec(light, fraction=1.0) == pytest.approx(major)


def test_light_left_out_is_below_the_stated_brightness():
    light = SersicLight(1.0, 0.2, 1.0, 0.3, 0.2)
    grid = PixelGrid(size=150, pixel_scale_arcsec=0.1)
    image = render_unblurred(Scene(PSF, foreground=(light,)), grid)
    axis = (np.arange(150) - 74.5) * 0.1
    whole = surface_brightness(light, *np.meshgrid(axis, axis)) * 0.01
    assert (image == 0).any()
    np.testing.assert_allclose(image, whole, rtol=0, atol=1.0001e-14)


@pytest.mark.parametrize("fwhm_arcsec", [0.087, 0.7, 3.0])
def test_blurring_equals_scipys(fwhm_arcsec):
    image = np.random.default_rng(0).uniform(size=(40, 40))
    psf = GaussianPsf(fwhm_arcsec, truncation_sigma=3.0)
    sigma = fwhm_arcsec / 0.2 / math.sqrt(8 * math.log(2))
    expected = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
    np.testing.assert_allclose(blur(image, psf, PixelGrid(40, 0.2)), expected, rtol=1e-12)


def test_supersampling_is_the_mean_over_the_pixel():
    scene = Scene(PSF, foreground=(SersicLight(1.0, 0.4, 1.0, center_x_arcsec=0.05),))
    fine = render_unblurred(scene, PixelGrid(60, 0.1))
    coarse = render_unblurred(scene, PixelGrid(20, 0.3, supersampling=3))
    np.testing.assert_allclose(coarse, fine.reshape(20, 3, 20, 3).sum(axis=(1, 3)), rtol=1e-12)


def test_sources_need_a_lens():
    scene = Scene(PSF, sources=(SersicLight(1.0, 0.3, 1.0),))
    with pytest.raises(ValueError, match="needs a lens"):
        render(scene, PixelGrid(8, 0.2))


def test_the_kept_deflection_is_that_of_the_lens_at_hand():
    """The deflection of the last lens is kept; another lens or grid must not get it."""
    grid = PixelGrid(size=16, pixel_scale_arcsec=0.3)
    lens = IsothermalLens(1.0, e1=0.2, gamma1=0.03)
    scene = Scene(PSF, lens, sources=(SersicLight(1.0, 0.3, 1.0, center_x_arcsec=0.2),))
    changes = [{"e1": -0.2}, {"e2": 0.1}, {"center_x_arcsec": 0.1}, {"einstein_radius_arcsec": 1.2}]
    for changed in [lens, *(replace(lens, **change) for change in changes), lens]:
        one = replace(scene, lens=changed)
        theirs = render_with_lenstronomy(one, grid)
        np.testing.assert_allclose(render(one, grid), theirs, rtol=0, atol=1e-12 * theirs.max())
