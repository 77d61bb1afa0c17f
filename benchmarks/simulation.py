"""Speed of the simulators against the recipe that made the published DeepLense Model I images.

python benchmarks/simulation.py [--rounds 15] [--only model_i]
                               [--output benchmarks/results/simulation.json]

The recipe draws each 150x150 image with lenstronomy, as mwt5345/DeepLenseSim does: cosmology, lens
model, data, point spread function and image model are made anew for each image, and every point
mass is a lens model of its own. It is measured twice: whole, and with the cosmology worked out
once. What the original does besides (it also draws a population of halos that it does not use) is
left out, in the recipe's favour. Both sides include noise. The two take turns, so that a machine
that slows down slows both, in blocks of ten images, so that each has its caches warm, as when a
data set is made; medians of the blocks are compared, on one core.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from astropy import units
from astropy.constants import G, M_sun, c
from astropy.cosmology import FlatLambdaCDM
from command_line import benchmark_parser, selected
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util import image_util
from reporting import Results, Table, environment
from timing import ratio, take_turns

from lensnet.simulation import (
    HaloMassSimulator,
    LensFindingSimulator,
    SubstructureSimulator,
    render_with_lenstronomy,
)

SIZE, PIXEL_SCALE_ARCSEC, BACKGROUND_RMS = 150, 0.05, 0.01
BLOCK = 10
PACKAGES = ("lensnet", "lenstronomy", "numpy", "numba", "scipy", "astropy")


def radius_of_masses(masses_solar: np.ndarray) -> np.ndarray:
    """Einstein radii in arcseconds, the cosmology made anew."""
    cosmology = FlatLambdaCDM(H0=70.0, Om0=0.3, Ob0=0.05)
    to_lens = cosmology.luminosity_distance(0.5).to(units.m)
    to_source = cosmology.luminosity_distance(1.0).to(units.m)
    ratio = (to_source - to_lens) / (to_lens * to_source)
    return np.sqrt(4 * G * masses_solar * M_sun / c**2 * ratio).value * 206265


def recipe(
    class_name: str, radii: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """One image as the original script makes it, all objects fresh."""
    names = ["SIE", "SHEAR"]
    main_radius = radii(np.array([1e12]))[0]
    lenses = [
        {"theta_E": main_radius, "e1": 0.1, "e2": 0.0, "center_x": 0.0, "center_y": 0.0},
        {"gamma1": 0.05, "gamma2": 0.0},
    ]
    if class_name == "cdm":
        low, high = 1e6**0.1, 1e10**0.1
        point_radii = radii((low + (high - low) * rng.uniform(size=25)) ** 10)
        distance, angle = rng.uniform(0.25, 2.0, 25), rng.uniform(0, 2 * math.pi, 25)
    elif class_name == "axion":
        half_length = 0.03e-22 / 10 ** rng.uniform(-24, -22)
        point_radii = radii(np.full(100, 3e8))
        distance = np.linspace(-half_length, half_length, 100)
        angle = np.full(100, rng.uniform(0, 2 * math.pi))
    else:
        point_radii = distance = angle = np.empty(0)
    for radius, r, phi in zip(point_radii, distance, angle, strict=True):
        names.append("POINT_MASS")
        lenses.append(
            {"theta_E": radius, "center_x": r * math.cos(phi), "center_y": r * math.sin(phi)}
        )
    source = {"amp": 20.0, "R_sersic": 0.25, "n_sersic": 1.0, "e1": -0.1, "e2": 0.1}
    source["center_x"], source["center_y"] = rng.uniform(-0.35, 0.35, 2)
    exposure_s = 10 ** rng.uniform(3, 3.5)
    first = -(SIZE - 1) / 2 * PIXEL_SCALE_ARCSEC
    data = ImageData(
        image_data=np.zeros((SIZE, SIZE)),
        exposure_time=exposure_s,
        background_rms=BACKGROUND_RMS,
        transform_pix2angle=np.eye(2) * PIXEL_SCALE_ARCSEC,
        ra_at_xy_0=first,
        dec_at_xy_0=first,
    )
    psf = PSF(psf_type="GAUSSIAN", fwhm=0.087, pixel_size=PIXEL_SCALE_ARCSEC, truncation=3)
    model = ImageModel(
        data,
        psf,
        lens_model_class=LensModel(names),
        source_model_class=LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={"supersampling_factor": 1, "supersampling_convolution": False},
    )
    image = model.image(lenses, [source])
    noisy = image + image_util.add_poisson(image, exp_time=exposure_s)
    noisy = noisy + image_util.add_background(image, sigma_bkd=BACKGROUND_RMS)
    return np.random.poisson(np.clip(exposure_s * noisy, 0, None))


def block_of(function: Callable[[int], object]) -> Callable[[], float]:
    """Times a function of an image's index on the next block of images; seconds an image."""
    indices = itertools.count()

    def once() -> float:
        block = list(itertools.islice(indices, BLOCK))
        start = time.perf_counter()
        for index in block:
            function(index)
        return (time.perf_counter() - start) / BLOCK

    return once


def model_i_row(class_name: str, rounds: int) -> dict[str, Any]:
    """Times the recipe and the simulator on a class, and compares their images."""
    rng = np.random.default_rng(0)
    np.random.seed(0)
    known = float(radius_of_masses(np.array([1.0]))[0])
    simulator = SubstructureSimulator()
    times = take_turns(
        {
            "recipe": block_of(lambda _: recipe(class_name, radius_of_masses, rng)),
            "recipe_without_cosmology": block_of(
                lambda _: recipe(class_name, lambda masses: known * np.sqrt(masses), rng)
            ),
            "lensnet": block_of(lambda index: simulator.simulate(class_name, index, 0)),
        },
        rounds,
    )
    difference = 0.0
    for index in range(10):
        theirs = render_with_lenstronomy(simulator.scene(class_name, index, 0), simulator.grid)
        ours = simulator.noise_free(class_name, index, 0)
        difference = max(difference, float(np.abs(ours - theirs).max() / theirs.max()))
    return {
        "class": class_name,
        **{f"{name}_ms": 1e3 * statistics.median(values) for name, values in times.items()},
        "ratio": ratio(times, "recipe", "lensnet"),
        "ratio_without_cosmology": ratio(times, "recipe_without_cosmology", "lensnet"),
        "largest_difference_before_noise": difference,
    }


OTHERS: dict[str, Callable[[int], object]] = {
    "halo_mass, 150 px": lambda index: HaloMassSimulator().simulate(None, index, 0),
    "lens_finding lens, 101 px": lambda index: LensFindingSimulator().simulate("lens", index, 0),
    "lens_finding nonlens, 101 px": lambda index: LensFindingSimulator().simulate(
        "nonlens", index, 0
    ),
    "lens_finding lens, 64 px": lambda index: LensFindingSimulator(image_size=64).simulate(
        "lens", index, 0
    ),
}
"""Further images, by what they are called."""


def main() -> None:
    parser = benchmark_parser(__doc__, "simulation.json", 15)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {arguments.rounds}")
    classes = SubstructureSimulator().classes
    cells = [*(f"model_i/{name}" for name in classes), *(f"others/{name}" for name in OTHERS)]
    cells = selected(cells, arguments)
    results = Results(
        arguments.output,
        {"environment": environment(PACKAGES), "images": arguments.rounds * BLOCK},
    )
    columns = ("recipe", "no cosmology", "lensnet", "ratio", "no cosmology's", "difference")
    model_i = Table({"class": 8, **dict.fromkeys(columns, 8)})
    others = Table({"image": 30, "lensnet": 8})
    print("Median milliseconds an image; Model I with 150x150 pixels, with noise")
    for cell in cells:
        what, name = cell.split("/")
        if what == "model_i":
            row = model_i_row(name, arguments.rounds)
            model_i.add(*row.values())
        else:
            times = take_turns({name: block_of(OTHERS[name])}, arguments.rounds)
            row = {"image": name, "lensnet_ms": 1e3 * statistics.median(times[name])}
            others.add(*row.values())
        results.add(what, row)
    results.close()


if __name__ == "__main__":
    main()
