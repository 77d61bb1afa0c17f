"""What holds for every simulator: purity, shapes, metadata, checked options."""

import math
import subprocess
import sys
import zlib

import numpy as np
import pytest

from lensnet.simulation import (
    HaloMassSimulator,
    LensFindingSimulator,
    Simulator,
    SubstructureSimulator,
)

SIMULATORS = [
    SubstructureSimulator(image_size=32),
    HaloMassSimulator(image_size=32),
    LensFindingSimulator(image_size=32),
]
each_simulator = pytest.mark.parametrize(
    "simulator", SIMULATORS, ids=lambda simulator: type(simulator).__name__
)


def classes_of(simulator):
    return simulator.classes or (None,)


@each_simulator
def test_images_are_what_the_protocol_says(simulator):
    assert isinstance(simulator, Simulator)
    keys = set()
    for label, class_name in enumerate(classes_of(simulator)):
        result = simulator.simulate(class_name, 0, 0)
        assert result.image.shape == (32, 32, 1)
        assert result.image.dtype == np.float32
        assert np.isfinite(result.image).all()
        assert np.ptp(result.image) > 0
        assert result.label == (label if simulator.classes else None)
        assert (result.target is None) == bool(simulator.classes)
        assert all(type(value) is float for value in result.metadata.values())
        keys.add(frozenset(result.metadata))
    assert len(keys) == 1


@each_simulator
def test_an_image_is_a_pure_function_of_its_arguments(simulator):
    same_options = type(simulator)(image_size=32)
    for class_name in classes_of(simulator):
        first = simulator.simulate(class_name, 5, 7)
        # What is made in between, in any order, changes nothing.
        others = [simulator.simulate(class_name, index, 7) for index in (9, 0, 4)]
        again = same_options.simulate(class_name, 5, 7)
        np.testing.assert_array_equal(first.image, again.image)
        np.testing.assert_equal(dict(first.metadata), dict(again.metadata))
        for other in [*others, simulator.simulate(class_name, 5, 8)]:
            assert not np.array_equal(first.image, other.image)


@each_simulator
def test_numpy_integers_count_as_integers(simulator):
    class_name = classes_of(simulator)[0]
    one = simulator.simulate(class_name, np.int64(2), np.uint32(1))
    np.testing.assert_array_equal(one.image, simulator.simulate(class_name, 2, 1).image)


@pytest.mark.processes
def test_images_are_the_same_in_another_process():
    """Neither the hash of a string, which Python salts, nor anything else of a process matters.

    And it imports neither lenstronomy nor TensorFlow.
    """
    code = (
        "import sys, zlib\n"
        "from lensnet.simulation import LensFindingSimulator, SubstructureSimulator\n"
        "for simulator in SubstructureSimulator(image_size=32), LensFindingSimulator():\n"
        "    image = simulator.simulate(simulator.classes[1], 3, 1).image\n"
        "    print(zlib.crc32(image.tobytes()))\n"
        "print({'lenstronomy', 'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )
    images = [
        simulator.simulate(simulator.classes[1], 3, 1).image
        for simulator in (SubstructureSimulator(image_size=32), LensFindingSimulator())
    ]
    expected = [*(str(zlib.crc32(image.tobytes())) for image in images), "set()"]
    # No process of pytest has this salt unless it is asked for.
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "1"},
    )
    assert done.stdout.split() == expected


def test_classes_draw_from_streams_of_their_own():
    simulator = LensFindingSimulator(image_size=32)
    magnitudes = {
        class_name: simulator.simulate(class_name, 0, 0).metadata["galaxy_magnitude"]
        for class_name in simulator.classes
    }
    assert magnitudes["lens"] != magnitudes["nonlens"]


@pytest.mark.parametrize("class_name", ["no_sub", "cdm", "axion"])
def test_the_same_lens_at_every_size(class_name):
    """Binned to the pixels of the smaller image, the larger shows the same, before noise."""
    small = SubstructureSimulator(image_size=50, supersampling=3)
    large = SubstructureSimulator(image_size=150)
    one, other = (simulator.simulate(class_name, 0, 0).metadata for simulator in (small, large))
    np.testing.assert_equal(dict(one), dict(other))
    coarse = small.noise_free(class_name, 0, 0)
    fine = large.noise_free(class_name, 0, 0).reshape(50, 3, 50, 3).sum(axis=(1, 3))
    # The point spread function is applied to pixels, so it differs a little.
    assert np.abs(coarse - fine).max() < 0.1 * fine.max()
    assert coarse.sum() == pytest.approx(fine.sum(), rel=1e-3)


def test_noise_of_deeplense_images():
    """Mean and variance of many exposures of one lens against those of the published recipe.

    Where the image is bright, clipping at zero plays no part: the mean is the model's, and the
    variance is the photon noise twice and the background once.
    """
    simulator = SubstructureSimulator(image_size=150)
    drawn = simulator._draw("no_sub", 0, 0)
    counts_per_s, exposure_s = simulator.noise_free("no_sub", 0, 0), 2000.0
    exposures = np.array(
        [simulator._expose(counts_per_s, exposure_s, drawn.noise_random) for _ in range(200)]
    )
    assert exposures.min() >= 0
    assert (exposures == np.round(exposures)).all()
    exposures = exposures.astype(float)
    bright = counts_per_s * exposure_s > 100
    model = counts_per_s[bright] * exposure_s
    variance = 2 * model + (0.01 * exposure_s) ** 2
    deviation = (exposures.mean(axis=0)[bright] - model) / np.sqrt(variance / 200)
    assert abs(deviation.mean()) < 5 / math.sqrt(bright.sum())
    assert deviation.std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(exposures.var(axis=0)[bright] / variance) == pytest.approx(1.0, abs=0.02)
    # Sky: a Gaussian of 20 counts cut off at zero has the mean 20 / sqrt(2 pi).
    assert exposures[:, counts_per_s < 1e-8].mean() == pytest.approx(
        20 / math.sqrt(2 * math.pi), rel=0.01
    )


def test_background_of_a_coarser_pixel_grows_with_its_side():
    """So that images of every size show the same sky."""
    sky = [
        SubstructureSimulator(image_size=size, source_amplitude=1e-9).simulate("no_sub", 0, 0).image
        for size in (50, 150)
    ]
    assert sky[0].std() / sky[1].std() == pytest.approx(3.0, rel=0.1)


def test_halo_masses_and_einstein_radii():
    simulator = HaloMassSimulator(image_size=16)
    results = [simulator.simulate(None, index, 0) for index in range(300)]
    targets = np.array([result.target for result in results])
    radii = np.array([result.metadata["einstein_radius_arcsec"] for result in results])
    assert targets.min() >= 11.5 and targets.max() <= 12.5
    assert targets.mean() == pytest.approx(12.0, abs=0.06)
    # 1e12 solar masses give 1.281 arcsec, and the radius grows as the root of the mass.
    np.testing.assert_allclose(radii, 1.2815 * 10 ** ((targets - 12) / 2), rtol=1e-4)


def test_the_pixel_scale_overrides_the_field():
    assert SubstructureSimulator(image_size=64).grid.pixel_scale_arcsec == 7.5 / 64
    simulator = SubstructureSimulator(image_size=64, pixel_scale_arcsec=0.05)
    assert simulator.grid.pixel_scale_arcsec == 0.05


@pytest.mark.parametrize(
    ("simulator", "options", "message"),
    [
        (SubstructureSimulator, {"image_size": 0}, "image_size .* at least 2; got 0"),
        (SubstructureSimulator, {"image_size": 64.0}, "image_size must be an integer"),
        (SubstructureSimulator, {"image_size": True}, "image_size must be an integer"),
        (SubstructureSimulator, {"field_of_view_arcsec": -1.0}, "above 0; got -1.0"),
        (SubstructureSimulator, {"pixel_scale_arcsec": 0.0}, "pixel_scale_arcsec .* above 0"),
        (SubstructureSimulator, {"redshift_source": 0.5}, "redshift_source .* above 0.5"),
        (SubstructureSimulator, {"source_amplitude": math.nan}, "source_amplitude .* got nan"),
        (SubstructureSimulator, {"num_subhalos": -1}, "num_subhalos .* at least 0"),
        (SubstructureSimulator, {"num_subhalos": "many"}, "num_subhalos must be an integer"),
        (SubstructureSimulator, {"background_rms": None}, "background_rms must be .* got None"),
        (
            SubstructureSimulator,
            {"subhalo_mass_min_solar": 1e11},
            "subhalo_mass_min_solar must not be above subhalo_mass_max_solar",
        ),
        (SubstructureSimulator, {"log10_axion_mass_max_ev": -30.0}, "must not be above"),
        (HaloMassSimulator, {"log10_mass_min_solar": 13.0}, "must not be above"),
        (HaloMassSimulator, {"psf_fwhm_arcsec": 0.0}, "psf_fwhm_arcsec"),
        (LensFindingSimulator, {"image_size": 1}, "image_size"),
        (LensFindingSimulator, {"observation": "KiDS"}, "observation must be a ObservationConfig"),
        (LensFindingSimulator, {"galaxies": None}, "galaxies must be a GalaxyPopulation"),
        (LensFindingSimulator, {"source_magnitude_range": (22.0, 20.0)}, "must not be above"),
        (LensFindingSimulator, {"source_magnitude_range": 21.0}, r"a pair \(low, high\)"),
        (LensFindingSimulator, {"num_companions_probabilities": (0.5, 0.4)}, "add up to 1"),
        (LensFindingSimulator, {"num_companions_probabilities": ()}, "add up to 1"),
        (LensFindingSimulator, {"source_offset_max": 2.0}, "of at most 1; got 2.0"),
    ],
)
def test_a_wrong_option_is_refused(simulator, options, message):
    with pytest.raises(ValueError, match=message):
        simulator(**options)


@each_simulator
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vortex", 0, 0), "class_name must be .*; got 'vortex'"),
        ((..., -1, 0), "index must be an integer of at least 0; got -1"),
        ((..., 0, -1), "seed must be an integer of at least 0; got -1"),
        ((..., 0.5, 0), "index must be an integer"),
    ],
)
def test_wrong_arguments_are_refused(simulator, arguments, message):
    class_name = classes_of(simulator)[0] if arguments[0] is ... else arguments[0]
    with pytest.raises(ValueError, match=message):
        simulator.simulate(class_name, *arguments[1:])


def test_classification_needs_a_class():
    with pytest.raises(ValueError, match="one of 'no_sub', 'cdm', 'axion'; got None"):
        SIMULATORS[0].simulate(None, 0, 0)


def test_importing_the_package_is_cheap():
    code = (
        "import sys, lensnet.simulation\n"
        "print(sorted({'numba', 'astropy', 'lenstronomy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
