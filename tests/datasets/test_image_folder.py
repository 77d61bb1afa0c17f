"""What a folder of images offers is found by listing it, and by that alone."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lensnet.datasets.image_folder.image_folder_dataset_builder import Builder
from lensnet.datasets.image_folder.options import Options, inspect
from lensnet.errors import DataError

PAN_STARRS = Path(__file__).parent.parent / "data" / "files" / "pan_starrs"


@pytest.fixture
def folders(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).mkdir(parents=True)
        return tmp_path

    return make


def test_classes_by_name(folders):
    layout = inspect(folders("sphere", "no", "vort", ".hidden"), Options())
    assert layout.classes == ("no", "sphere", "vort") and layout.splits == ()


def test_classes_as_chosen(folders):
    root = folders("sphere", "no", "vort")
    assert inspect(root, Options(classes=["vort", "no"])).classes == ("vort", "no")
    with pytest.raises(DataError, match='no class folder "vortex".*Did you mean "vort"'):
        inspect(root, Options(classes=["vortex"]))


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val"),
        ("Training", "TEST"),
        ("train",),
        ("train_set", "test_set"),
        ("TrainData", "dev", "images-test"),
        ("train", "eval"),
    ],
)
def test_splits_by_any_usual_name(folders, names):
    root = folders(*(f"{split}/{label}" for split in names for label in ("a", "b")))
    layout = inspect(root, Options())
    assert layout.classes == ("a", "b")
    assert layout.splits == ("train", "validation", "test")


def test_splits_beside_other_folders(folders):
    root = folders("train/a", "val/a", "masks")
    with pytest.raises(DataError, match=r"splits \(train, val\) beside others \(masks\)"):
        inspect(root, Options())
    # Unless one says that they are classes.
    chosen = Options(classes=["train", "masks"])
    assert inspect(root, chosen).classes == ("train", "masks")


def test_no_training_split(folders):
    with pytest.raises(DataError, match='holds no folder "train" beside test'):
        inspect(folders("test/a", "test/b"), Options())


def test_nothing_there(folders, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        inspect(tmp_path / "gone", Options())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        inspect(tmp_path / "file", Options())
    with pytest.raises(DataError, match="no class folders"):
        inspect(tmp_path, Options())


@pytest.mark.parametrize("pattern", ["{id}", "{band}", "{id}_{id}_{band}"])
def test_a_pattern_names_id_and_band(pattern):
    with pytest.raises(ValueError, match="once each"):
        Options(bands=["g"], file_pattern=pattern)


def test_bands_of_a_survey_through_tfds(tmp_path):
    """Real images: each a copy of the lens with noise of its own, a system without its i band."""
    from astropy.io import fits

    random = np.random.default_rng(0)
    for label in ("lens", "other"):
        (tmp_path / "source" / label).mkdir(parents=True)
        for index in range(20):
            for band in "gri":
                image = fits.getdata(PAN_STARRS / f"SDSSJ1206+5142_{band}.fits")
                image = image + random.normal(0, 1, image.shape).astype(image.dtype)
                path = tmp_path / "source" / label / f"J{index}_{band}.fits"
                fits.PrimaryHDU(image.astype(">f4")).writeto(path)
    (tmp_path / "source" / "lens" / "J3_i.fits").unlink()
    options = Options(bands=["i", "g"], max_bad=0.05)
    config = Builder.configure("", options, source_dir=tmp_path / "source")
    builder = tfds.builder("image_folder", config=config, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    records = list(builder.as_dataset(split="train+validation+test"))
    assert len(records) == 39
    for record in records[:5]:
        name = record["id"].numpy().decode()
        for channel, band in enumerate("ig"):
            expected = fits.getdata(tmp_path / "source" / f"{name}_{band}.fits")
            np.testing.assert_array_equal(record["image"][..., channel], expected)
    quarantine = (Path(builder.data_dir) / "quarantine.csv").read_text()
    assert quarantine == "file,reason\nlens/J3_g.fits,band i is missing\n"


def test_the_builder_says_where_it_wants_the_folder():
    with pytest.raises(DataError, match="data.source_dir"):
        Builder().download_and_prepare()


def test_bands_in_extensions_of_one_file(tmp_path):
    """As surveys deliver cutouts: a file an object, an extension a band."""
    from astropy.io import fits

    random = np.random.default_rng(0)
    for label in ("lens", "other"):
        (tmp_path / "source" / label).mkdir(parents=True)
        for index in range(20):
            hdus = [fits.ImageHDU(random.random((6, 6)), name=name) for name in ("VIS", "NIR")]
            path = tmp_path / "source" / label / f"{index}.fits"
            fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    builder = Builder(
        source_dir=tmp_path / "source", options={"hdu": ["NIR", 1]}, data_dir=tmp_path / "prepared"
    )
    builder.download_and_prepare()
    for record in builder.as_dataset(split="test"):
        path = tmp_path / "source" / f"{record['id'].numpy().decode()}.fits"
        bands = [fits.getdata(path, extname=name).astype(np.float32) for name in ("NIR", "VIS")]
        np.testing.assert_array_equal(record["image"], np.stack(bands, axis=-1))


def test_an_extension_for_each_band_file():
    assert Options(bands=["g", "r"], hdu=["SCI", 0]).hdu == ["SCI", 0]
    with pytest.raises(ValueError, match="lists 3 extensions, and there are 2 bands"):
        Options(bands=["g", "r"], hdu=[0, 1, 2])
