"""What the configuration knows of the DeepLense substructure data sets."""

from __future__ import annotations

from lensnet.config.dataset import DatasetSpec, FileOptions, SimulatedOptions
from lensnet.config.folder_layout import ClassFolder, FolderLayout

__all__ = ["AXION_MASS", "MODELS", "MODEL_CLASSES", "SPECS"]

MODELS = {
    "model_i": "Model I (150 pixels)",
    "model_ii": "Model II (64 pixels, Euclid-like)",
    "model_iii": "Model III (64 pixels, HST-like)",
    "model_iv": "Model IV (64 pixels)",
}
"""The published simulations, by the name of their configuration."""

MODEL_CLASSES = ("no_sub", "cdm", "axion")

AXION_MASS = "axion_mass_ev"
"""The number beside the image in an axion file."""

_COMMON_TEST_CLASSES = ("no", "sphere", "vort")

SPECS = (
    DatasetSpec(
        name="deeplense_substructure/simulated",
        summary="Lenses without substructure, with cold subhalos, or with an axion vortex.",
        simulator="lensnet.simulation:SubstructureSimulator",
        options=SimulatedOptions,
        offers=("classes",),
        classes=MODEL_CLASSES,
    ),
    DatasetSpec(
        name="deeplense_substructure/common_test",
        summary="DeepLense's common test: {train,val}/{no,sphere,vort}/N.npy; val is the test set.",
        folders=FolderLayout(
            tuple(
                ClassFolder(f"{folder}/{label}", label, split)
                for folder, split in (("train", "train"), ("val", "test"))
                for label in _COMMON_TEST_CLASSES
            )
        ),
        options=FileOptions,
        offers=("classes",),
        classes=_COMMON_TEST_CLASSES,
    ),
    *(
        DatasetSpec(
            name=f"deeplense_substructure/{model}",
            summary=f"DeepLense {what}: {{no_sub,cdm,axion}}/*.npy.",
            folders=FolderLayout(
                tuple(ClassFolder(label, label) for label in MODEL_CLASSES),
                numbers=(AXION_MASS,),
            ),
            options=FileOptions,
            offers=("classes",),
            classes=MODEL_CLASSES,
        )
        for model, what in MODELS.items()
    ),
)
