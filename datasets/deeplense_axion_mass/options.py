"""What the configuration knows of the axion-mass data sets."""

from __future__ import annotations

from lensnet.config.dataset import DatasetSpec, FileOptions
from lensnet.config.folder_layout import ClassFolder, FolderLayout, TargetNumber
from lensnet.datasets.deeplense_substructure.options import AXION_MASS, MODELS

__all__ = ["SPECS"]

SPECS = tuple(
    DatasetSpec(
        name=f"deeplense_axion_mass/{model}",
        summary=f"The axion images of DeepLense {what}; target log10 of the axion's mass in eV.",
        folders=FolderLayout(
            (ClassFolder("axion"),),
            numbers=(AXION_MASS,),
            target=TargetNumber(AXION_MASS, log10=True),
        ),
        options=FileOptions,
        offers=("targets",),
    )
    for model, what in MODELS.items()
)
