"""The Bologna challenge's files: bands in folders of their own, and a table of the truth."""

import csv

import numpy as np
import pytest
from astropy.io import fits
from planned_inputs import read_inputs

from lensnet.data import FileReader, prepare
from lensnet.datasets.lens_finding.options import SpaceOptions
from lensnet.errors import DataError

GROUND = ("SDSS_R", "SDSS_I", "SDSS_G", "SDSS_U")
COLUMNS = ("ID", "is_lens", "Einstein_area", "numb_pix_lensed_image", "flux_lensed_image_in_sigma")


def pixels(name, band):
    """An image as faint as the challenge's, (11, 11) big-endian float32."""
    random = np.random.default_rng([int(name), band])
    return (1e-12 * random.normal(1, 0.3, (11, 11))).astype(">f4")


def write(root, names, bands):
    for band, word in enumerate(bands):
        folder = root / "Public" / f"Band{band + 1}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            fits.PrimaryHDU(pixels(name, band)).writeto(folder / f"image{word}-{name}.fits")
    with open(root / "classifications.csv", "w", newline="") as file:
        file.write("# a comment, as one of the challenge's tables has them\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for place, name in enumerate(names):
            writer.writerow((name, place % 2, 0.5 * place, 7 * place, 3))
    return root


@pytest.fixture
def names():
    return [str(100000 + index) for index in range(30)]


@pytest.fixture
def ground(tmp_path, names):
    return write(tmp_path / "ground", names, GROUND)


def test_ground(ground, names, make_experiment, read_back):
    data = prepare(make_experiment("lens_finding/ground", "binary", source_dir=ground))
    assert data.classes == ("nonlens", "lens") and data.native_shape == (11, 11, 4)
    records = read_back(data)
    assert sorted(records) == names and data.quarantine == ()
    for place, name in enumerate(names):
        record = records[name]
        expected = np.stack([pixels(name, band) for band in range(4)], axis=-1)
        np.testing.assert_array_equal(record.image, expected)
        assert record.value == ("lens" if place % 2 else "nonlens")
        # The truth is known beside the records, and to nobody who reads them.
        assert record.metadata == {
            "Einstein_area": 0.5 * place,
            "numb_pix_lensed_image": 7.0 * place,
            "flux_lensed_image_in_sigma": 3.0,
        }
    features = data.builder.info.features
    assert set(features) == {"image", "label", "id"}


def test_faint_pixels_survive_normalisation(ground, make_experiment):
    """Values near 1e-12 are as good as any: what matters is how they differ."""
    made = make_experiment(
        "lens_finding/ground", "binary", source_dir=ground, normalization="per_image_min_max"
    )
    data = prepare(made)
    (images, _), *_ = data.batches("train", 4)
    for image, name in zip(images.numpy(), data.examples("train").ids[:4], strict=True):
        for band in range(4):
            exact = pixels(name, band).astype(np.float64)
            exact = (exact - exact.min()) / (exact.max() - exact.min())
            # Seven digits of float32, of which the subtraction of the minimum costs one.
            np.testing.assert_allclose(image[..., band], exact, atol=1e-6)


def test_space(tmp_path, names, make_experiment, read_back):
    root = write(tmp_path / "space", names, ("EUC_VIS",))
    data = prepare(make_experiment("lens_finding/space", "binary", source_dir=root))
    records = read_back(data)
    assert data.native_shape == (11, 11, 1) and len(records) == 30
    np.testing.assert_array_equal(records["100004"].image[..., 0], pixels("100004", 0))


def test_masked_pixels_are_filled(ground, make_experiment, read_back):
    path = ground / "Public" / "Band2" / "imageSDSS_I-100006.fits"
    masked = pixels("100006", 1)
    masked[2:6, 1:9] = 100
    fits.writeto(path, masked, overwrite=True)
    data = prepare(make_experiment("lens_finding/ground", "binary", source_dir=ground))
    record = read_back(data)["100006"]
    assert record.metadata["filled_pixels"] == 32 and data.quarantine == ()
    known = masked != 100
    np.testing.assert_array_equal(record.image[..., 1][known], masked[known])
    assert np.all(record.image[..., 1][~known] == np.median(masked[known]))


def test_a_mask_over_most_of_an_image_or_all_of_a_band(ground, make_experiment):
    for name, rows in (("100007", slice(None)), ("100008", slice(0, 7))):
        for band, word in enumerate(GROUND):
            image = pixels(name, band)
            if name == "100008" or band == 3:
                image[rows] = 100
            path = ground / "Public" / f"Band{band + 1}" / f"image{word}-{name}.fits"
            fits.writeto(path, image, overwrite=True)
    options = {"max_bad": 0.1}
    data = prepare(
        make_experiment("lens_finding/ground", "binary", source_dir=ground, options=options)
    )
    assert dict(data.quarantine) == {
        "Public/Band4/imageSDSS_U-100007.fits": "channel 3 has no finite pixel",
        "Public/Band1/imageSDSS_R-100008.fits": "63.6 % of its pixels are masked or not finite; "
        "50 % may be",
    }


def test_bad_rows_and_files_of_no_row(ground, names, make_experiment, read_back, caplog):
    (ground / "Public" / "Band3" / "imageSDSS_G-100003.fits").unlink()
    fits.writeto(ground / "Public" / "Band1" / "imageSDSS_R-200000.fits", pixels("1", 1))
    with open(ground / "classifications.csv", "a") as file:
        file.write("100005,1,0,0,0\n300000,1,0,0,0\n100009\n")
    options = {"max_bad": 0.2}
    data = prepare(
        make_experiment("lens_finding/ground", "binary", source_dir=ground, options=options)
    )
    assert dict(data.quarantine) == {
        "Public/Band1/imageSDSS_R-100003.fits": "band SDSS_G is missing",
        "Public/Band1/imageSDSS_R-100005.fits": "classifications.csv line 33: the ID "
        '"100005" stands in a row above, too',
        "300000": "classifications.csv line 34: there is no image of it",
        "Public/Band1/imageSDSS_R-100009.fits": "classifications.csv line 35: the ID "
        '"100009" stands in a row above, too',
    }
    assert sorted(read_back(data)) == sorted(set(names) - {"100003"})
    assert "1 image files" in caplog.text and "imageSDSS_R-200000.fits" in caplog.text
    assert "of no row of classifications.csv" in caplog.text


def test_splits_do_not_depend_on_what_else_there_is(ground, tmp_path, names, make_experiment):
    fewer = write(tmp_path / "fewer", names[:20], GROUND)
    many, few = (
        prepare(make_experiment("lens_finding/ground", "binary", source_dir=root, stratify=False))
        for root in (ground, fewer)
    )
    for split in ("train", "validation", "test"):
        assert set(few.examples(split).ids) <= set(many.examples(split).ids)


def test_the_table_is_part_of_the_fingerprint(ground, make_experiment):
    before = prepare(make_experiment("lens_finding/ground", "binary", source_dir=ground))
    table = ground / "classifications.csv"
    table.write_text(table.read_text().replace("100000,0", "100000,1"))
    after = prepare(make_experiment("lens_finding/ground", "binary", source_dir=ground))
    assert before.directory != after.directory


def test_what_is_missing_is_said(ground, tmp_path, make_experiment):
    with pytest.raises(DataError, match="holds no files named like .imageEUC_VIS-100000.fits"):
        prepare(make_experiment("lens_finding/space", "binary", source_dir=ground))
    (ground / "classifications.csv").write_text("ID,class\n")
    with pytest.raises(DataError, match='has no column "is_lens"'):
        make_experiment("lens_finding/ground", "binary", source_dir=ground)
    (ground / "classifications.csv").unlink()
    with pytest.raises(DataError, match="holds no classifications.csv"):
        make_experiment("lens_finding/ground", "binary", source_dir=ground)
    with pytest.raises(DataError, match="does not exist"):
        make_experiment("lens_finding/ground", "binary", source_dir=tmp_path / "gone")


def test_the_challenges_folders_can_be_predicted_on(ground):
    """Prediction reads as preparation does: the bands of an object from folders of their own."""
    batch = read_inputs([ground / "Public"], (11, 11, 4), "lens_finding/ground", source_dir=ground)
    assert len(batch) == 30 and all(item.error is None for item in batch)
    expected = np.stack([pixels(batch[3].id, band) for band in range(4)], axis=-1)
    np.testing.assert_array_equal(batch[3].image, expected)
    assert FileReader.from_options(SpaceOptions()).mask_value is None
