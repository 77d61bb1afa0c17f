"""Simulated images against those of the published generator, class by class.

The reference is a summary of 120 images (`data/model_i_summary.npz`, see `data/README.md`). Each
summary is a vector an image; each test is a two-sample permutation test of the energy distance
(Szekely & Rizzo 2013), which sees any difference of distributions, not of means alone.

To make the summary again from a folder of images:
python tests/simulation/test_model_i_distribution.py FOLDER
"""

import functools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, optimize, stats

from lensnet.simulation import SubstructureSimulator
from lensnet.simulation.rendering import render

SUMMARY = Path(__file__).parent / "data" / "model_i_summary.npz"
CLASSES = ("no_sub", "cdm", "axion")
SIZE = 150
IMAGES = 80  # simulated, a class
SIGNIFICANCE = 0.01


def mean_by_bin(values, bins):
    counts = np.bincount(bins.ravel())
    sums = np.bincount(bins.ravel(), values.ravel())
    return sums[counts > 0] / counts[counts > 0]


def total_flux(counts):
    return np.log(counts.sum(keepdims=True)).ravel()


def radial_profile(counts):
    """Mean counts in eleven rings of six pixels."""
    y, x = np.indices(counts.shape) - (SIZE - 1) / 2
    rings = (np.hypot(x, y) / 6).astype(int)
    return np.log(mean_by_bin(counts, rings)[:11])


def quantiles(counts):
    return np.log1p(np.quantile(counts, [0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0]))


def power_spectrum(counts):
    """Power in eleven rings of spatial frequency, evenly spaced in the logarithm."""
    frequency = np.fft.fftfreq(SIZE)
    rings = np.digitize(np.hypot(*np.meshgrid(frequency, frequency)), np.geomspace(0.01, 0.5, 12))
    return np.log(mean_by_bin(np.abs(np.fft.fft2(counts)) ** 2, rings)[1:-1])


@functools.cache
def smooth_lens():
    """The lens without substructure, and its images of sources on a grid of places."""
    simulator = SubstructureSimulator()
    scene = simulator.scene("no_sub", 0, 0)

    def image(x, y):
        source = replace(scene.sources[0], center_x_arcsec=x, center_y_arcsec=y)
        return render(replace(scene, sources=(source,)), simulator.grid)

    places = np.linspace(-0.3, 0.3, 5)
    return image, [(x, y, image(x, y)) for x in places for y in places]


def misfit_of_smooth_lens(counts):
    """How badly the best image of a lens without substructure fits where the image is bright.

    Place of the source and exposure are fitted. The other summaries hardly tell one class from
    another; this one sees the substructure.
    """
    image, starts = smooth_lens()
    smoothed = ndimage.gaussian_filter(counts, 1.5)
    bright = smoothed > 0.2 * smoothed.max()
    seen = counts[bright]

    def residuals(parameters):
        model = image(parameters[0], parameters[1])[bright] * np.exp(parameters[2])
        return (seen - model) / np.sqrt(2 * model + 400)

    def distance(start):
        model = start[2][bright]
        return np.sum((seen - model * seen.sum() / model.sum()) ** 2)

    x, y, model = min(starts, key=distance)
    start = (x, y, np.log(seen.sum() / model[bright].sum()))
    fit = optimize.least_squares(
        residuals, start, diff_step=1e-4, x_scale=(0.05, 0.05, 0.1), max_nfev=15
    )
    return np.log([2 * fit.cost / bright.sum()])


STATISTICS = {
    "total_flux": total_flux,
    "radial_profile": radial_profile,
    "quantiles": quantiles,
    "power_spectrum": power_spectrum,
    "misfit_of_smooth_lens": misfit_of_smooth_lens,
}


def summarize(images, statistic):
    return np.array([STATISTICS[statistic](image.astype(float)) for image in images])


def p_value(ours, theirs, permutations=999):
    """Energy test of two samples of vectors, each component scaled to a deviation of 1."""
    sample = np.vstack([ours, theirs])
    sample = (sample - sample.mean(axis=0)) / sample.std(axis=0)
    squares = np.sum(sample**2, axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * sample @ sample.T, 0.0))
    first = np.zeros((permutations + 1, len(sample)))
    first[0, : len(ours)] = 1.0
    rng = np.random.default_rng(0)
    for row in first[1:]:
        row[rng.choice(len(sample), len(ours), replace=False)] = 1.0
    second = 1.0 - first
    m, n = len(ours), len(theirs)
    energy = (
        2 * np.sum(first @ distances * second, axis=1) / (m * n)
        - np.sum(first @ distances * first, axis=1) / m**2
        - np.sum(second @ distances * second, axis=1) / n**2
    )
    return np.mean(energy >= energy[0])


@functools.cache
def simulated(class_name, **options):
    simulator = SubstructureSimulator(**options)
    return [simulator.simulate(class_name, index, seed=1).image[..., 0] for index in range(IMAGES)]


@functools.cache
def reference():
    with np.load(SUMMARY) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("class_name", CLASSES)
def test_class_matches_the_published_generator(class_name, statistic):
    ours = summarize(simulated(class_name), statistic)
    theirs = reference()[f"{class_name}/{statistic}"]
    assert p_value(ours, theirs) > SIGNIFICANCE


@pytest.mark.parametrize(
    ("class_name", "statistic", "wrong"),
    [
        ("no_sub", "total_flux", {"log10_exposure_max": 3.25}),
        ("no_sub", "radial_profile", {"main_halo_mass_solar": 0.85e12}),
        ("no_sub", "quantiles", {"background_rms": 0.015}),
        ("no_sub", "power_spectrum", {"psf_fwhm_arcsec": 0.3}),
        # What the generator's comments say of the subhalos' masses, but its formula does not.
        ("cdm", "misfit_of_smooth_lens", {"subhalo_mass_slope": -1.9}),
        ("axion", "misfit_of_smooth_lens", {"vortex_mass_solar": 1e10}),
    ],
)
def test_a_wrong_generator_is_told_apart(class_name, statistic, wrong):
    """The tests above could fail: each statistic rejects a generator that differs in one option."""
    ours = summarize(simulated(class_name, **wrong), statistic)
    theirs = reference()[f"{class_name}/{statistic}"]
    assert p_value(ours, theirs) < SIGNIFICANCE


def test_axion_masses_are_distributed_as_published():
    simulator = SubstructureSimulator(image_size=16)
    ours = [
        simulator.simulate("axion", index, seed=0).metadata["axion_mass_ev"] for index in range(400)
    ]
    theirs = reference()["axion/axion_mass_ev"]
    assert stats.ks_2samp(np.log10(ours), np.log10(theirs)).pvalue > SIGNIFICANCE
    assert -24 <= np.log10(ours).min() < -23.95 and -22.05 < np.log10(ours).max() <= -22


def write_summary(folder):
    arrays = {}
    for class_name in CLASSES:
        # Axion files are object arrays, that is pickles: run this on files you trust.
        files = sorted(Path(folder, class_name).glob("*.npy"))
        loaded = [np.load(file, allow_pickle=True) for file in files]
        if class_name == "axion":
            arrays["axion/axion_mass_ev"] = np.array([float(mass) for _, mass in loaded])
            loaded = [image for image, _ in loaded]
        for statistic in STATISTICS:
            arrays[f"{class_name}/{statistic}"] = summarize(loaded, statistic)
    np.savez_compressed(SUMMARY, **arrays)


if __name__ == "__main__":
    write_summary(sys.argv[1])
