"""Look-alikes are galaxies of the same survey, and have the light that they are said to have."""

import math

import numpy as np
import pytest

from lensnet.simulation import LensFindingSimulator, LookAlikeSimulator, Simulator
from lensnet.simulation.deflection import axis_coordinates
from lensnet.simulation.look_alikes import _pattern
from lensnet.simulation.patterned_light import PatternedLight, pattern_brightness
from lensnet.simulation.scene import PixelGrid

SURVEY = LensFindingSimulator(image_size=64, field_density_per_arcmin2=0.0)
SIMULATOR = LookAlikeSimulator(survey=SURVEY)
GRID = PixelGrid(64, 0.2, 2)


def test_it_is_a_simulator_of_pure_functions():
    assert isinstance(SIMULATOR, Simulator) and SIMULATOR.image_size == 64
    for label, name in enumerate(SIMULATOR.classes):
        one, again, other = (SIMULATOR.simulate(name, 3, seed) for seed in (1, 1, 2))
        assert one.label == label and one.image.shape == (64, 64, 1)
        assert one.image.dtype == np.float32 and np.isfinite(one.image).all()
        np.testing.assert_array_equal(one.image, again.image)
        assert not np.array_equal(one.image, other.image)
        noise = one.image[..., 0] - SIMULATOR.noise_free(name, 3, 1)
        assert abs(noise.mean()) < 5 * noise.std() / 64


def test_the_light_is_as_bright_as_that_of_a_lensed_source():
    """The image less the galaxy of its survey has the flux of its magnitude, within the image."""
    for name in SIMULATOR.classes:
        shares = []
        for index in range(8):
            drawn = SIMULATOR._draw(name, index, 0)
            galaxy = drawn.scene.foreground[:1]
            bare = SIMULATOR._rendered(
                type(drawn)(
                    type(drawn.scene)(drawn.scene.psf, foreground=galaxy),
                    (),
                    0.0,
                    drawn.noise_random,
                )
            )
            added = SIMULATOR.noise_free(name, index, 0) - bare
            shares.append(added.sum() / SURVEY.observation.flux(drawn.magnitude))
        # Tails of mergers and arms reach beyond the stamp that their flux is that of.
        assert 0.85 < np.mean(shares) < 1.02, name


def test_a_ring_is_where_it_is_said():
    light = PatternedLight(flux=5.0, ring_radius_arcsec=2.0, width_arcsec=0.2)
    image = _pattern(light, GRID)
    assert image.sum() == pytest.approx(5.0, rel=0.01)
    axis = axis_coordinates(PixelGrid(64, 0.2))
    radius = np.hypot(axis, axis[:, np.newaxis])
    mean = np.average(radius, weights=image)
    # The mean radius of exp(-(r - R)^2 / 2 s^2) over areas is R + s^2 / R.
    assert mean == pytest.approx(2.0 + 0.2**2 / 2.0, rel=0.005)


def test_inclination_and_angle():
    light = PatternedLight(
        flux=1.0, ring_radius_arcsec=2.0, width_arcsec=0.2, axis_ratio=0.5, angle_radian=math.pi / 2
    )
    image = _pattern(light, GRID)
    axis = axis_coordinates(PixelGrid(64, 0.2))
    along_x, along_y = (np.sqrt(np.average(a**2, weights=image)) for a in np.meshgrid(axis, axis))
    assert along_x / along_y == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("arms", [1, 2, 3])
def test_arms_are_as_many_as_said_and_wind_by_the_pitch(arms):
    pitch = math.radians(20)
    light = PatternedLight(
        flux=1.0,
        ring_radius_arcsec=2.0,
        width_arcsec=1.0,
        arms=arms,
        pitch_radian=pitch,
        contrast=3.0,
    )
    azimuth = np.linspace(0, 2 * math.pi, 3600, endpoint=False)
    brightest = []
    for radius in (1.8, 2.2):
        values = pattern_brightness(light, radius * np.cos(azimuth), radius * np.sin(azimuth))
        peaks = (values > np.roll(values, 1)) & (values >= np.roll(values, -1))
        assert np.sum(peaks) == arms
        brightest.append(azimuth[np.argmax(values)])
    moved = (brightest[1] - brightest[0]) % (2 * math.pi / arms)
    assert moved == pytest.approx(
        math.log(2.2 / 1.8) / math.tan(pitch) % (2 * math.pi / arms), abs=0.01
    )


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="ring_width_range"):
        LookAlikeSimulator(ring_width_range=(0.0, 0.2))
    with pytest.raises(ValueError, match="survey"):
        LookAlikeSimulator(survey=3)
    with pytest.raises(ValueError, match="class_name"):
        SIMULATOR.simulate("lens", 0, 0)
