"""The second Bologna challenge's files: Euclid's bands, and a catalogue that names no classes.

Layout and columns are those of the published data (`Public/EUC_VIS/imageEUC_VIS-200001.fits`,
http://metcalf1.difa.unibo.it/blf-portal/gg_challenge.html), the images smaller: 20 pixels of VIS,
6 of the others, as there are 200 and 66.
"""

import numpy as np
import pytest
from astropy.io import fits
from planned_inputs import read_inputs

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.band_grids import on_finest_grid
from lensnet.datasets.lens_finding.bologna import ChallengeSource
from lensnet.datasets.lens_finding.options import EuclidOptions
from lensnet.errors import DataError

BANDS = ("VIS", "Y", "J", "H")
HEADER = """# Lens challenge 2.0
# ID - the number in the name of the image
,ID,x_crit,n_pix_source,n_source_im,mag_eff,ein_area,n_sources
"""
# Which of them are lenses follows from n_source_im > 0, mag_eff > 1.6 and n_pix_source > 20.
ROWS = {
    "200001": ("0.5,21.0,1.0,1.7,2e-11,1", "lens"),
    "200002": ("0.5,20.0,1.0,1.7,2e-11,1", "nonlens"),
    "200003": ("0.5,700.0,2.0,1.6,2e-11,1", "nonlens"),
    "200004": ("0.5,700.0,0.0,9.0,2e-11,1", "nonlens"),
    "200005": (",,,,,0", "nonlens"),
    "200006": ("0.5,700.0,4.0,9.0,nan,2", "lens"),
}


def pixels(name, band):
    random = np.random.default_rng([int(name), BANDS.index(band)])
    side = 20 if band == "VIS" else 6
    return (1e-12 * random.normal(1, 0.3, (side, side))).astype(">f4")


@pytest.fixture
def root(tmp_path):
    for band in BANDS:
        folder = tmp_path / "Public" / f"EUC_{band}"
        folder.mkdir(parents=True)
        for name in ROWS:
            fits.writeto(folder / f"imageEUC_{band}-{name}.fits", pixels(name, band))
    lines = [f"{place},{name},{cells}\n" for place, (name, (cells, _)) in enumerate(ROWS.items())]
    (tmp_path / "image_catalog2.0train.csv").write_text(HEADER + "".join(lines))
    return tmp_path


def loaded(source):
    return {item.example.id: item for item in source.load(source.list().examples)}


def expected(name):
    """Of VIS the 18 pixels in the middle, and each of the others three by three."""
    large = np.ones((3, 3))
    bands = [np.kron(pixels(name, band), large) for band in BANDS[1:]]
    return np.stack([pixels(name, "VIS")[1:19, 1:19], *bands], axis=-1).astype(np.float32)


def test_classes_images_and_truth(root):
    source = ChallengeSource(root, EuclidOptions())
    found = loaded(source)
    assert source.classes == ("nonlens", "lens") and list(found) == list(ROWS)
    for name, (_, label) in ROWS.items():
        item = found[name]
        assert item.error is None and item.example.label == label
        np.testing.assert_array_equal(item.image, expected(name))
    truth = {"x_crit": 0.5, "n_pix_source": 21, "n_source_im": 1, "mag_eff": 1.7, "n_sources": 1}
    assert dict(found["200001"].metadata) == {**truth, "ein_area": 2e-11}
    assert dict(found["200005"].metadata) == {"n_sources": 0}


def test_other_criteria_and_bands(root):
    options = EuclidOptions(bands=["H", "J"], magnification_above=1.5, source_pixels_above=19)
    found = loaded(ChallengeSource(root, options))
    lenses = {name for name, item in found.items() if item.example.label == "lens"}
    assert lenses == {"200001", "200002", "200003", "200006"}
    both = [pixels("200003", band) for band in ("H", "J")]
    np.testing.assert_array_equal(found["200003"].image, np.stack(both, axis=-1))
    whole = loaded(ChallengeSource(root, EuclidOptions(bands=["VIS"])))["200003"].image
    np.testing.assert_array_equal(whole[..., 0], pixels("200003", "VIS"))
    with pytest.raises(ValueError, match="each band may stand once"):
        EuclidOptions(bands=["H", "H"])


def test_bad_rows_and_files(root):
    """Nine objects of the published catalogue have no images."""
    folder = root / "Public" / "EUC_J"
    (folder / "imageEUC_J-200002.fits").unlink()
    fits.writeto(folder / "imageEUC_J-200003.fits", np.ones((7, 7)), overwrite=True)
    fits.writeto(folder / "imageEUC_J-200004.fits", np.ones((6, 5)), overwrite=True)
    with open(root / "image_catalog2.0train.csv", "a") as file:
        file.write("6,200007,0.5,21,1,1.7,0,1\n7,200006,0.5,21,1,high,0,1\n8,,0.5,21,1,2,0,1\n")
        file.write("9,200008,0.5\n")
    reasons = {
        name: item.error.reason
        for name, item in loaded(ChallengeSource(root, EuclidOptions())).items()
        if item.error is not None
    }
    table = "image_catalog2.0train.csv line"
    assert reasons == {
        "200002": "band J is missing",
        "200003": "7 x 7 pixels are not those of the finest band, 20 x 20, in whole numbers",
        "200004": "shape (6, 5), where a band is a square",
        "200007": f"{table} 10: there is no image of it",
        f"200006 ({table} 11)": f'{table} 11: the ID "200006" stands in a row above, too',
        f"{table} 12": f"{table} 12: it has no ID",
        "200008": f"{table} 13: it has 3 cells, where the header has 8",
    }


def test_a_cell_that_is_not_a_number(root):
    table = root / "image_catalog2.0train.csv"
    table.write_text(table.read_text().replace("2.0,1.6,", "2.0,high,"))
    error = loaded(ChallengeSource(root, EuclidOptions()))["200003"].error
    assert error.reason.endswith('line 6: mag_eff is "high", no finite number')
    table.write_text(table.read_text().replace("mag_eff", "mag"))
    with pytest.raises(DataError, match='has no column "mag_eff"'):
        ChallengeSource(root, EuclidOptions())
    table.unlink()
    with pytest.raises(DataError, match="holds no image_catalog2.0train.csv"):
        ChallengeSource(root, EuclidOptions())


@pytest.mark.parametrize("sides", [(20, 7), (20, 11), (9, 2), (20, 19)])
def test_fields_that_are_not_the_same(sides):
    """20 of 7 leave 6, twice a coarse pixel; 9 of 2 leave one, which has no middle."""
    planes = [(f"{side}.fits", np.zeros((side, side))) for side in sides]
    with pytest.raises(BadFileError, match=f"{sides[1]} x {sides[1]} pixels .* {sides[0]} x"):
        on_finest_grid(planes)


def test_a_rotated_field_becomes_the_same_rotated():
    planes = [("vis", np.random.default_rng(0).random((20, 20))), ("h", np.eye(6))]
    for (_, one), (_, other) in zip(
        on_finest_grid(planes), on_finest_grid([(p, np.rot90(x)) for p, x in planes]), strict=True
    ):
        np.testing.assert_array_equal(np.rot90(one), other)


def test_the_test_set_can_be_predicted_on(root):
    """It has no catalogue: the folders of bands are read as in training."""
    found = read_inputs([root / "Public"], (18, 18, 4), "lens_finding/euclid", source_dir=root)
    assert [item.id for item in found] == list(ROWS) and all(item.error is None for item in found)
    np.testing.assert_array_equal(found[3].image, expected("200004"))
