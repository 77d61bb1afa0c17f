"""TFDS builders, a folder each, and what the configuration knows of them.

On disk this package is the folder `datasets/` at the top of the checkout; installed it is
`lensnet.datasets`. Importing it registers the data sets in `lensnet.registry.datasets` without
importing TensorFlow: a folder's `options.py` holds the specifications, its
`*_dataset_builder.py` the TFDS builder.
"""

from lensnet import registry
from lensnet.datasets.deeplense_axion_mass import options as deeplense_axion_mass
from lensnet.datasets.deeplense_substructure import options as deeplense_substructure
from lensnet.datasets.fits_catalog import options as fits_catalog
from lensnet.datasets.graded import options as graded
from lensnet.datasets.halo_mass import options as halo_mass
from lensnet.datasets.image_folder import options as image_folder
from lensnet.datasets.image_stack import options as image_stack
from lensnet.datasets.lens_finding import options as lens_finding
from lensnet.datasets.rotated_mnist import options as rotated_mnist

for _module in (
    lens_finding,
    deeplense_substructure,
    deeplense_axion_mass,
    halo_mass,
    rotated_mnist,
    image_folder,
    fits_catalog,
    image_stack,
    graded,
):
    for _spec in _module.SPECS:
        registry.datasets.register(_spec.name, _spec)
