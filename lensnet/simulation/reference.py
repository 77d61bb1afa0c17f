"""The same scenes drawn by lenstronomy: what the compiled kernels are held to."""

from __future__ import annotations

import numpy as np

from lensnet.simulation.scene import PixelGrid, Scene, SersicLight

__all__ = ["render_with_lenstronomy"]


def render_with_lenstronomy(scene: Scene, grid: PixelGrid) -> np.ndarray:
    """Draws a scene with lenstronomy (Birrer & Amara 2018; Birrer et al. 2021).

    It is ten times slower than :func:`lensnet.simulation.rendering.render`, because it makes its
    objects anew and sums point masses one by one. Use it to check the kernels, or as the start of
    a model that they do not cover.

    Args:
        scene: what to draw.
        grid: the pixels to draw it on.

    Returns:
        Flux per pixel, shape (size, size), float64; the first axis is y.
    """
    # lenstronomy takes two seconds to import, and only this function needs it.
    from lenstronomy.Data.pixel_grid import PixelGrid as LenstronomyGrid
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    first = -(grid.size - 1) / 2.0 * grid.pixel_scale_arcsec
    pixels = LenstronomyGrid(
        nx=grid.size,
        ny=grid.size,
        transform_pix2angle=np.eye(2) * grid.pixel_scale_arcsec,
        ra_at_xy_0=first,
        dec_at_xy_0=first,
    )
    psf = PSF(
        psf_type="GAUSSIAN",
        fwhm=scene.psf.fwhm_arcsec,
        pixel_size=grid.pixel_scale_arcsec,
        truncation=scene.psf.truncation_sigma,
    )
    names, lenses = _deflectors(scene)
    model = ImageModel(
        pixels,
        psf,
        lens_model_class=LensModel(names) if names else None,
        source_model_class=LightModel(["SERSIC_ELLIPSE"] * len(scene.sources)),
        lens_light_model_class=LightModel(["SERSIC_ELLIPSE"] * len(scene.foreground)),
        kwargs_numerics={"supersampling_factor": grid.supersampling},
    )
    return model.image(
        kwargs_lens=lenses,
        kwargs_source=[_sersic(light) for light in scene.sources],
        kwargs_lens_light=[_sersic(light) for light in scene.foreground],
    )


def _deflectors(scene: Scene) -> tuple[list[str], list[dict[str, float]]]:
    if scene.lens is None:
        return [], []
    x, y = scene.lens.center_x_arcsec, scene.lens.center_y_arcsec
    ellipsoid = {
        "theta_E": scene.lens.einstein_radius_arcsec,
        "e1": scene.lens.e1,
        "e2": scene.lens.e2,
        "center_x": x,
        "center_y": y,
    }
    shear = {"gamma1": scene.lens.gamma1, "gamma2": scene.lens.gamma2, "ra_0": x, "dec_0": y}
    masses = scene.point_masses
    points = [
        {"theta_E": radius, "center_x": mass_x, "center_y": mass_y}
        for radius, mass_x, mass_y in zip(
            masses.einstein_radii_arcsec, masses.x_arcsec, masses.y_arcsec, strict=True
        )
    ]
    return ["SIE", "SHEAR"] + ["POINT_MASS"] * len(points), [ellipsoid, shear, *points]


def _sersic(light: SersicLight) -> dict[str, float]:
    return {
        "amp": light.amplitude,
        "R_sersic": light.half_light_radius_arcsec,
        "n_sersic": light.sersic_index,
        "e1": light.e1,
        "e2": light.e2,
        "center_x": light.center_x_arcsec,
        "center_y": light.center_y_arcsec,
    }
