"""Simulated lens images: DeepLense Model I, halo masses, and lens finding in a ground survey.

Each simulator is a frozen value that holds its options. Its `simulate(class_name, index, seed)` is
a pure function of them, so that the thousandth image can be made without the first, on any
process, and asking for more images never changes those that were made before.

>>> from lensnet.simulation import SubstructureSimulator
>>> simulator = SubstructureSimulator(image_size=64)
>>> simulator.classes
('no_sub', 'cdm', 'axion')
>>> simulator.simulate("axion", index=0, seed=1).image.shape
(64, 64, 1)

The pictures are those that lenstronomy draws (:func:`render_with_lenstronomy` draws them so),
made by compiled kernels in a tenth of the time. Importing this package imports neither numba,
astropy nor lenstronomy; asking it for a simulator does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.simulation.cosmology import einstein_radius_arcsec
    from lensnet.simulation.halo_mass import HaloMassSimulator
    from lensnet.simulation.lens_finding import LensFindingSimulator
    from lensnet.simulation.look_alikes import LookAlikeSimulator
    from lensnet.simulation.observation import KIDS_R_BAND, PS1_R_BAND, ObservationConfig
    from lensnet.simulation.parallel import simulate_many
    from lensnet.simulation.reference import render_with_lenstronomy
    from lensnet.simulation.simulator import SimulatedImage, Simulator
    from lensnet.simulation.substructure import SubstructureSimulator

__all__ = [
    "KIDS_R_BAND",
    "PS1_R_BAND",
    "HaloMassSimulator",
    "LensFindingSimulator",
    "LookAlikeSimulator",
    "ObservationConfig",
    "SimulatedImage",
    "Simulator",
    "SubstructureSimulator",
    "einstein_radius_arcsec",
    "render_with_lenstronomy",
    "simulate_many",
]

_MODULES = {
    "KIDS_R_BAND": "observation",
    "PS1_R_BAND": "observation",
    "HaloMassSimulator": "halo_mass",
    "LensFindingSimulator": "lens_finding",
    "LookAlikeSimulator": "look_alikes",
    "ObservationConfig": "observation",
    "SimulatedImage": "simulator",
    "Simulator": "simulator",
    "SubstructureSimulator": "substructure",
    "einstein_radius_arcsec": "cosmology",
    "render_with_lenstronomy": "reference",
    "simulate_many": "parallel",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
