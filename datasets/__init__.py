"""TFDS builders, a folder each, and what the configuration knows of them.

On disk this package is the folder `datasets/` at the top of the checkout; installed it is
`lensnet.datasets`. Importing it registers the data sets in `lensnet.registry.datasets` without
importing TensorFlow: a folder's `options.py` holds the specifications, its
`*_dataset_builder.py` the TFDS builder.
"""

from lensnet import registry
from lensnet.datasets.deeplense_substructure import options as deeplense_substructure
from lensnet.datasets.halo_mass import options as halo_mass
from lensnet.datasets.image_folder import options as image_folder
from lensnet.datasets.lens_finding import options as lens_finding

for _module in (lens_finding, deeplense_substructure, halo_mass, image_folder):
    for _spec in _module.SPECS:
        registry.datasets.register(_spec.name, _spec)
