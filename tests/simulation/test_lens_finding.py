"""Lenses and non-lenses: nothing but lensing tells them apart, and lensing can be seen."""

import functools
import math

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from lensnet.simulation import (
    KIDS_R_BAND,
    PS1_R_BAND,
    LensFindingSimulator,
    ObservationConfig,
)
from lensnet.simulation.rendering import render, render_unblurred

IMAGES = 500  # a class
SIZE = 64


@functools.cache
def simulated():
    """Images (alternating nonlens, lens), labels and metadata."""
    simulator = LensFindingSimulator(image_size=SIZE)
    results = [
        simulator.simulate(class_name, index, seed=0)
        for index in range(IMAGES)
        for class_name in simulator.classes
    ]
    images = np.array([result.image[..., 0] for result in results])
    return images, np.array([r.label for r in results]), [r.metadata for r in results]


def distances():
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return np.hypot(x, y) * KIDS_R_BAND.pixel_scale_arcsec


def total_and_central_flux(images):
    flat = images.reshape(len(images), -1)
    inside = [flat[:, distances().ravel() < radius].sum(axis=1) for radius in (0.6, 1.0, 2.0, 3.0)]
    return np.stack([flat.sum(axis=1), *inside], axis=1)


def pixel_histogram(images):
    edges = np.concatenate([[-np.inf], np.geomspace(0.02, 8.0, 40), [np.inf]])
    return np.array([np.histogram(image, edges)[0] for image in images])


def histogram_of_normalized_pixels(images):
    """As a network sees them that is given every image between 0 and 1."""
    low = images.min(axis=(1, 2), keepdims=True)
    normalized = (images - low) / (images.max(axis=(1, 2), keepdims=True) - low)
    return np.array([np.histogram(image, 40, (0, 1))[0] for image in normalized])


def everything(images):
    return np.hstack(
        [
            total_and_central_flux(images),
            pixel_histogram(images),
            histogram_of_normalized_pixels(images),
        ]
    )


def turns_around_the_galaxy(images):
    """A feature of shape: how the light varies along rings around the brightest pixel.

    Amplitudes of the Fourier series in the angle, which do not depend on the orientation.
    """
    angles = np.arange(32) * math.pi / 16
    radii = np.linspace(3, 17, 14)[:, None]
    features = []
    for image in images:
        smoothed = ndimage.gaussian_filter(image, 1.0)[22:42, 22:42]
        row, column = np.unravel_index(smoothed.argmax(), smoothed.shape)
        places = [22 + row + radii * np.sin(angles), 22 + column + radii * np.cos(angles)]
        rings = ndimage.map_coordinates(image, places, order=1)
        features.append(np.log(np.abs(np.fft.rfft(rings, axis=1))[:, :7] / 32 + 0.01).ravel())
    return np.array(features)


def boosting():
    return HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=8)


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))


def area_under_curve(classifier, values, labels):
    # On so few images threads wait for each other most of the time, and on a busy machine for long.
    with threadpool_limits(1):
        scores = cross_val_predict(classifier, values, labels, cv=4, method="predict_proba")[:, 1]
    return roc_auc_score(labels, scores)


@pytest.mark.parametrize(
    ("features", "classifier"),
    [
        (total_and_central_flux, logistic()),
        (pixel_histogram, logistic()),
        (histogram_of_normalized_pixels, logistic()),
        (everything, logistic()),
        (everything, boosting()),
    ],
)
def test_brightness_does_not_give_a_lens_away(features, classifier):
    images, labels, _ = simulated()
    values = features(images)
    values = np.sign(values) * np.log1p(np.abs(values))
    assert area_under_curve(classifier, values, labels) < 0.7


def test_a_shortcut_would_be_found():
    """Lenses whose sources are 0.8 magnitudes brighter do not pass the test above."""
    images, labels, _ = simulated()
    brighter = LensFindingSimulator(image_size=SIZE, source_magnitude_range=(19.2, 20.6))
    lenses = [brighter.simulate("lens", index, 0).image[..., 0] for index in range(IMAGES)]
    values = np.log1p(np.abs(everything(np.concatenate([images[labels == 0], lenses]))))
    assert area_under_curve(logistic(), values, np.repeat([0, 1], IMAGES)) > 0.75


def test_shape_gives_a_lens_away():
    """A network does better still; this needs no training of minutes."""
    images, labels, _ = simulated()
    assert area_under_curve(boosting(), turns_around_the_galaxy(images), labels) > 0.8


@pytest.mark.parametrize("key", ["galaxy_magnitude", "source_magnitude", "psf_fwhm_arcsec"])
def test_both_classes_share_distributions(key):
    _, labels, metadata = simulated()
    values = np.array([entry[key] for entry in metadata])
    assert stats.ks_2samp(values[labels == 0], values[labels == 1]).pvalue > 0.01


@pytest.mark.parametrize("class_name", ["nonlens", "lens"])
def test_the_added_light_has_the_flux_that_was_drawn(class_name):
    """The lensed image, and the companions together, on an image large enough to hold all."""
    simulator = LensFindingSimulator(image_size=120)
    for index in range(20):
        drawn = simulator._draw(class_name, index, 0)
        flux = render_unblurred(drawn.added, simulator.grid).sum()
        expected = simulator.observation.flux(drawn.metadata["source_magnitude"])
        # Sampling twice a pixel finds the flux of the sharpest source to a few parts in a hundred.
        assert flux == pytest.approx(expected, rel=0.05)


def test_companions_share_the_light_over_the_area_of_the_lensed_image():
    """Blurred, light of both classes is spread over the same area on average, to 5 %."""
    simulator = LensFindingSimulator(image_size=SIZE)
    areas = {}
    for class_name in simulator.classes:
        added = [simulator._draw(class_name, index, 0).added for index in range(200)]
        images = [render(scene, simulator.grid) for scene in added]
        areas[class_name] = [np.log(image.sum() ** 2 / np.sum(image**2)) for image in images]
    assert np.mean(areas["nonlens"]) == pytest.approx(np.mean(areas["lens"]), abs=0.05)


def test_lensed_light_is_magnified_and_seen():
    _, labels, metadata = simulated()
    lenses = [entry for entry, label in zip(metadata, labels, strict=True) if label == 1]
    magnifications = np.array([entry["magnification"] for entry in lenses])
    radii = np.array([entry["einstein_radius_arcsec"] for entry in lenses])
    assert magnifications.min() > 2.0
    assert np.median(magnifications) > 4.0
    assert radii.min() >= 1.2 and radii.max() <= 2.6
    assert np.quantile([entry["source_signal_to_noise"] for entry in lenses], 0.01) > 30
    assert all(entry["num_companions"] == 0 for entry in lenses)
    others = [entry for entry, label in zip(metadata, labels, strict=True) if label == 0]
    assert {entry["num_companions"] for entry in others} == {1.0, 2.0, 3.0, 4.0}
    assert all(math.isnan(entry["einstein_radius_arcsec"]) for entry in others)


@pytest.mark.parametrize("image_size", [48, 64])
def test_small_images_hold_the_ring(image_size):
    simulator = LensFindingSimulator(image_size=image_size)
    for index in range(50):
        drawn = simulator._draw("lens", index, 0)
        flux = render_unblurred(drawn.added, simulator.grid).sum()
        assert flux > 0.97 * simulator.observation.flux(drawn.metadata["source_magnitude"])


def test_lens_and_galaxy_do_not_depend_on_the_image_size():
    small, large = (LensFindingSimulator(image_size=size) for size in (48, 101))
    for class_name in small.classes:
        one, other = (simulator._draw(class_name, 3, 0) for simulator in (small, large))
        assert one.metadata == pytest.approx(other.metadata, nan_ok=True)
        assert one.rest.foreground[0] == other.rest.foreground[0]
        assert one.added.sources == other.added.sources
        assert one.added.foreground == other.added.foreground


def test_noise_is_that_of_the_observation():
    simulator = LensFindingSimulator()
    pulls = []
    for index in range(10):
        image = simulator.simulate("lens", index, 0).image[..., 0]
        model = simulator.noise_free("lens", index, 0)
        pulls.append((image - model) / simulator.observation.pixel_noise(model))
    assert stats.kstest(np.concatenate(pulls).ravel(), stats.norm.cdf).pvalue > 0.01


def test_depth_of_kids():
    """Kuijken et al. 2019, A&A 625, A2: 25.02 at 5 sigma in 2 arcsec; 0.70 arcsec seeing."""
    assert KIDS_R_BAND.limiting_magnitude() == pytest.approx(25.02, abs=0.05)
    rng = np.random.default_rng(0)
    widths = [KIDS_R_BAND.draw_psf(rng).fwhm_arcsec for _ in range(2000)]
    assert np.mean(widths) == pytest.approx(0.70, abs=0.01)
    assert min(widths) >= 0.5 and max(widths) <= 0.95


def test_magnitudes():
    assert KIDS_R_BAND.flux(25.6) == pytest.approx(1.0)
    assert KIDS_R_BAND.magnitude(100.0) == pytest.approx(20.6)


@pytest.mark.parametrize(
    "wrong", [{"pixel_scale_arcsec": 0.0}, {"num_exposures": 0}, {"psf_fwhm_mean_arcsec": 2.0}]
)
def test_a_wrong_observation_is_refused(wrong):
    options = {
        "name": "test",
        "pixel_scale_arcsec": 0.2,
        "zero_point_magnitude": 25.0,
        "sky_brightness_magnitude": 21.0,
        "exposure_s": 100.0,
        "num_exposures": 1,
        "read_noise_electrons": 5.0,
        "psf_fwhm_mean_arcsec": 0.7,
        "psf_fwhm_sd_arcsec": 0.1,
        "psf_fwhm_range_arcsec": (0.5, 1.0),
    }
    ObservationConfig(**options)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ObservationConfig(**{**options, **wrong})


def test_pan_starrs_is_as_deep_as_published():
    # 23.2 at 5 sigma for point sources (Chambers et al. 2016): two FWHM hold 94 % of a Gaussian.
    aperture = 2 * PS1_R_BAND.psf_fwhm_mean_arcsec
    lost = -2.5 * np.log10(0.9375)
    assert PS1_R_BAND.limiting_magnitude(aperture) - lost == pytest.approx(23.2, abs=0.05)
