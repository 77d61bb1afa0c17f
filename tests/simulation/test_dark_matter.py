"""Subhalo masses and places, and the vortex of an axion."""

import math

import numpy as np
import pytest
from scipy import stats

from lensnet.simulation import SubstructureSimulator, einstein_radius_arcsec
from lensnet.simulation.dark_matter import (
    draw_power_law,
    vortex_half_length_arcsec,
    vortex_masses,
)


def power_law_cdf(values, slope, low, high):
    """The cumulative distribution of dN/dM ~ M^slope, by the integral of it."""
    power = slope + 1
    return (values**power - low**power) / (high**power - low**power)


def test_einstein_radius_of_the_main_halo():
    assert einstein_radius_arcsec(1e12) == pytest.approx(1.281, abs=5e-4)
    assert einstein_radius_arcsec(4e12) == pytest.approx(2 * einstein_radius_arcsec(1e12))


@pytest.mark.parametrize("redshifts", [(0.5, 0.5), (1.0, 0.5), (-0.1, 1.0), (0.0, 1.0)])
def test_a_lens_lies_before_its_source(redshifts):
    with pytest.raises(ValueError, match="redshift"):
        einstein_radius_arcsec(1e12, *redshifts)


@pytest.mark.parametrize("mass_solar", [-1.0, float("nan")])
def test_a_mass_is_not_negative(mass_solar):
    with pytest.raises(ValueError, match="mass_solar must be a finite number of at least 0"):
        einstein_radius_arcsec(mass_solar)


@pytest.mark.parametrize("slope", [-0.9, -1.9, 0.5])
def test_power_law(slope):
    values = draw_power_law(np.random.default_rng(0), slope, 1e6, 1e10, 20_000)
    assert stats.kstest(values, lambda x: power_law_cdf(x, slope, 1e6, 1e10)).pvalue > 0.01


def test_power_law_of_slope_minus_one_is_uniform_in_the_logarithm():
    values = draw_power_law(np.random.default_rng(0), -1.0, 1e6, 1e10, 20_000)
    assert stats.kstest(np.log10(values), stats.uniform(6, 4).cdf).pvalue > 0.01


def test_subhalos_of_cdm_images():
    """Masses, distances and angles, read back from the scenes that are drawn."""
    simulator = SubstructureSimulator(image_size=16)
    scenes = [simulator.scene("cdm", index, seed=0).point_masses for index in range(200)]
    assert all(scene.x_arcsec.size == 25 for scene in scenes)
    radii = np.concatenate([scene.einstein_radii_arcsec for scene in scenes])
    masses = 1e12 * (radii / einstein_radius_arcsec(1e12)) ** 2
    assert masses.min() >= 0.999e6 and masses.max() <= 1.001e10
    assert stats.kstest(masses, lambda m: power_law_cdf(m, -0.9, 1e6, 1e10)).pvalue > 0.01
    # The slope of the generator's comments is refused.
    assert stats.kstest(masses, lambda m: power_law_cdf(m, -1.9, 1e6, 1e10)).pvalue < 1e-6
    x = np.concatenate([scene.x_arcsec for scene in scenes])
    y = np.concatenate([scene.y_arcsec for scene in scenes])
    assert stats.kstest(np.hypot(x, y), stats.uniform(0.25, 1.75).cdf).pvalue > 0.01
    assert stats.kstest(np.arctan2(y, x), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01
    assert abs(stats.spearmanr(masses, np.hypot(x, y)).statistic) < 0.05


def test_subhalo_masses_are_told():
    simulator = SubstructureSimulator(image_size=16)
    radii = simulator.scene("cdm", 0, 0).point_masses.einstein_radii_arcsec
    told = simulator.simulate("cdm", 0, 0).metadata["substructure_mass_solar"]
    assert told == pytest.approx(1e12 * np.sum((radii / einstein_radius_arcsec(1e12)) ** 2))


def test_vortex_geometry():
    angle, axion_mass_ev = 0.7, 1.5e-23
    masses = vortex_masses(3e10, 100, axion_mass_ev, angle, 0.5, 1.0)
    along = masses.x_arcsec * math.cos(angle) + masses.y_arcsec * math.sin(angle)
    across = -masses.x_arcsec * math.sin(angle) + masses.y_arcsec * math.cos(angle)
    np.testing.assert_allclose(across, 0.0, atol=1e-12)
    np.testing.assert_allclose(along, np.linspace(-0.2, 0.2, 100), atol=1e-12)
    # The masses add up to the vortex's, whatever their number.
    total = np.sum(masses.einstein_radii_arcsec**2)
    assert total == pytest.approx(einstein_radius_arcsec(3e10) ** 2)
    assert np.ptp(masses.einstein_radii_arcsec) == 0.0


def test_vortices_of_axion_images():
    simulator = SubstructureSimulator(image_size=16)
    angles = []
    for index in range(200):
        metadata = simulator.simulate("axion", index, 0).metadata
        masses = simulator.scene("axion", index, 0).point_masses
        half_length = np.hypot(masses.x_arcsec, masses.y_arcsec).max()
        assert half_length == pytest.approx(
            vortex_half_length_arcsec(metadata["axion_mass_ev"]), rel=1e-9
        )
        assert 0.03 <= half_length <= 3.0
        assert metadata["axion_mass_ev"] == 10 ** metadata["log10_axion_mass_ev"]
        angles.append(metadata["vortex_angle_radian"])
    assert stats.kstest(angles, stats.uniform(0, 2 * math.pi).cdf).pvalue > 0.01


def test_what_does_not_apply_is_nan():
    simulator = SubstructureSimulator(image_size=16)
    for class_name in ("no_sub", "cdm"):
        assert math.isnan(simulator.simulate(class_name, 0, 0).metadata["axion_mass_ev"])
    assert simulator.simulate("no_sub", 0, 0).metadata["substructure_mass_solar"] == 0.0
