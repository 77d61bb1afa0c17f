"""The one thing that setup.cfg cannot say: which packages there are, in two folders."""

from setuptools import find_packages, setup

# On disk the data sets live in datasets/, as TFDS lays them out; installed they are
# lensnet.datasets, so that no top-level package named "datasets" shadows Hugging Face's.
setup(
    packages=[
        *find_packages(include=["lensnet", "lensnet.*"]),
        *(f"lensnet.{name}" for name in find_packages(include=["datasets", "datasets.*"])),
    ],
    package_dir={"lensnet.datasets": "datasets"},
)
