"""A cutout is of the place in the sky that was asked for, in the pixels that the file means."""

import io

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS, DistortionLookupTable

from lensnet.data import BadFileError, read_image
from lensnet.data.files.mosaics import CutoutSize, Mosaic

# The files are faulty on purpose, and astropy warns of it.
pytestmark = pytest.mark.filterwarnings(
    "ignore::astropy.utils.exceptions.AstropyWarning", "ignore::RuntimeWarning"
)

# Neither the image nor its scale is the same along both axes, so that no exchange goes unseen.
HEIGHT, WIDTH = 90, 130
SCALE_DEG = {1: 0.25 / 3600, 2: 0.2 / 3600}
PLACES = [(20, 15), (110, 12), (64, 44), (31, 77), (118, 70), (75, 25)]
SIZE = CutoutSize(pixels=9)


def plain_header(**cards):
    """Tangential, its rows tilted by ten degrees against the parallels."""
    cosine, sine = np.cos(np.radians(10)), np.sin(np.radians(10))
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0})
    header.update({"CRVAL2": 2.0, "CRPIX1": 50.0, "CRPIX2": 30.0})
    header.update({"CD1_1": -SCALE_DEG[1] * cosine, "CD1_2": SCALE_DEG[2] * sine})
    header.update({"CD2_1": SCALE_DEG[1] * sine, "CD2_2": SCALE_DEG[2] * cosine})
    header.update(cards)
    return header


def sky_image():
    """An image with a bright pixel at each of the places."""
    image = np.random.default_rng(0).uniform(90, 110, (HEIGHT, WIDTH)).astype(np.float32)
    for x, y in PLACES:
        image[y, x] = 5000
    return image


def renumbered(header, numbers):
    """The same axes at other places of the header."""
    changed = fits.Header()
    for card in header.cards:
        name = card.keyword.rstrip("12_")
        axes = card.keyword[len(name) :].split("_")
        changed[name + "_".join(str(numbers[int(axis)]) for axis in axes)] = card.value
    return changed


def latitude_first():
    return renumbered(plain_header(), {1: 2, 2: 1}), sky_image().T


def more_axes_than_the_image():
    more = {"CTYPE3": "STOKES", "CTYPE4": "FREQ", "CRVAL3": 1.0, "CRVAL4": 1.4e9}
    more.update({"CRPIX3": 1.0, "CRPIX4": 1.0, "CD3_3": 1.0, "CD4_4": 1.0})
    return plain_header(WCSAXES=4, **more), sky_image()


def an_axis_of_length_one():
    return plain_header(), sky_image()[np.newaxis]


def frequency_and_polarisation():
    """As CASA writes its images."""
    more = {"CTYPE3": "FREQ", "CTYPE4": "STOKES", "CRVAL3": 1.4e9, "CRVAL4": 1.0}
    more.update({"CRPIX3": 1.0, "CRPIX4": 1.0, "CD3_3": 1e6, "CD4_4": 1.0})
    return plain_header(**more), sky_image()[np.newaxis, np.newaxis]


def polarisation_first():
    header = renumbered(plain_header(), {1: 3, 2: 2})
    header.update({"CTYPE1": "STOKES", "CRPIX1": 1.0, "CRVAL1": 1.0, "CD1_1": 1.0})
    return header, sky_image().T[:, :, np.newaxis]


@pytest.mark.parametrize(
    "layout",
    [
        latitude_first,
        more_axes_than_the_image,
        an_axis_of_length_one,
        frequency_and_polarisation,
        polarisation_first,
    ],
    ids=lambda layout: layout.__name__,
)
def test_sky_axes_in_any_order_and_number(tmp_path, layout):
    header, array = layout()
    fits.PrimaryHDU(array, header).writeto(tmp_path / "a.fits")
    # Where the bright pixels are in the sky, by the plain header.
    ra, dec = WCS(plain_header()).all_pix2world(np.array(PLACES), 0).T
    mosaic = Mosaic(tmp_path / "a.fits")
    turned = layout in (latitude_first, polarisation_first)
    scales = [SCALE_DEG[2], SCALE_DEG[1]] if turned else [SCALE_DEG[1], SCALE_DEG[2]]
    np.testing.assert_allclose(mosaic.arcsec_per_pixel, 3600 * np.array(scales))
    found = mosaic.pixels_of(ra, dec)
    np.testing.assert_allclose(found[:, ::-1] if turned else found, PLACES, atol=1e-4)
    for place in found:
        cutout = mosaic.cut(*place, SIZE)
        assert cutout.shape == (9, 9) and cutout[4, 4] == cutout.max() == 5000
        np.testing.assert_array_equal(cutout, Cutout2D(array.squeeze(), place, 9).data)
    # The file as a whole is the same image.
    np.testing.assert_array_equal(read_image(tmp_path / "a.fits")[..., 0], array.squeeze())


def test_distortion_by_lookup_tables(tmp_path):
    """As in the flat-fielded images of HST: tables of the detector, and of the optics."""
    wcs, random = WCS(plain_header()), np.random.default_rng(1)
    for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
        table = random.uniform(-2, 2, (8, 8)).astype(np.float32)
        spacing = (WIDTH / 7, HEIGHT / 7)
        setattr(wcs, name, DistortionLookupTable(table, (1.0, 1.0), (1.0, 1.0), spacing))
    hdus = wcs.to_fits(relax=True)
    hdus[0].data = sky_image()
    hdus.writeto(tmp_path / "a.fits")
    ra, dec = wcs.all_pix2world(np.array(PLACES), 0).T
    undistorted = WCS(plain_header()).all_world2pix(ra, dec, 0)
    assert np.abs(np.transpose(undistorted) - PLACES).max() > 1
    mosaic = Mosaic(tmp_path / "a.fits")
    found = mosaic.pixels_of(ra, dec)
    np.testing.assert_allclose(found, PLACES, atol=1e-3)
    for place, position in zip(found, SkyCoord(ra, dec, unit="deg"), strict=True):
        expected = Cutout2D(hdus[0].data, position, 9, wcs=wcs).data
        assert expected[4, 4] == 5000
        np.testing.assert_array_equal(mosaic.cut(*place, SIZE), expected)
    # The tables are not in a file that holds the image alone.
    fits.PrimaryHDU(sky_image(), hdus[0].header).writeto(tmp_path / "b.fits")
    with pytest.raises(BadFileError, match=r"distortion D2IMDIS1 stands in an extension D2IMARR,1"):
        Mosaic(tmp_path / "b.fits")


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (1, HEIGHT, WIDTH)], ids=str)
def test_distortion_by_polynomials(tmp_path, shape):
    header = plain_header(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2)
    header.update({"A_2_0": 5e-4, "B_0_2": 5e-4, "A_1_1": 1e-4})
    ra, dec = WCS(header).all_pix2world(np.array(PLACES), 0).T
    undistorted = WCS(plain_header()).all_world2pix(ra, dec, 0)
    assert np.abs(np.transpose(undistorted) - PLACES).max() > 1
    fits.PrimaryHDU(sky_image().reshape(shape), header).writeto(tmp_path / "a.fits")
    mosaic = Mosaic(tmp_path / "a.fits")
    np.testing.assert_allclose(mosaic.pixels_of(ra, dec), PLACES, atol=1e-3)


@pytest.mark.parametrize(
    ("cards", "frame"),
    [
        ({"RADESYS": "J2000"}, "fk5"),
        ({"RADESYS": "FK5/J2000.0", "EQUINOX": "J2000"}, "fk5"),
        ({"RADECSYS": "fk5 "}, "fk5"),
        ({"EPOCH": 2000.0}, "fk5"),
        ({"RADESYS": "B1950"}, "fk4"),
        ({"EQUINOX": "B1950"}, "fk4"),
        ({"EQUINOX": 1950}, "fk4"),
        ({"RADESYS": "ICRS", "EQUINOX": 0.0}, "icrs"),
        ({"RADESYS": "ICRF"}, "icrs"),
        # RADESYS belongs to right ascension.
        ({"RADESYS": "FK5", "CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "galactic"),
        ({"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"}, "barycentricmeanecliptic"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_old_and_other_frames(tmp_path, cards, frame):
    fits.PrimaryHDU(sky_image(), plain_header(**cards)).writeto(tmp_path / "a.fits")
    angles = WCS(plain_header()).all_pix2world(np.array(PLACES), 0).T
    positions = SkyCoord(*angles, unit="deg", frame=frame).icrs
    found = Mosaic(tmp_path / "a.fits").pixels_of(positions.ra.deg, positions.dec.deg)
    # ICRS and FK5 are a tenth of a pixel apart here.
    np.testing.assert_allclose(found, PLACES, atol=1e-3)


@pytest.mark.parametrize(
    ("cards", "shape", "reason"),
    [
        ({"CTYPE3": "FREQ"}, (3, 90, 130), r"it has 3 planes along axis 3 \(FREQ\)"),
        ({}, (90, 130, 1), "it has 90 planes along axis 3"),
        ({"CPDIS1": "POLYNOMIAL"}, (90, 130), "its distortion CPDIS1 is 'POLYNOMIAL'"),
        ({"RADESYS": "GAPPT"}, (90, 130), "its RADESYS is 'GAPPT'; ICRS, FK5,"),
        ({"EQUINOX": 0.0}, (90, 130), "its EQUINOX is '0.0', not a year"),
        ({"CTYPE1": "TLON-TAN", "CTYPE2": "TLAT-TAN"}, (90, 130), "its coordinates are TLON-TAN"),
        ({"CTYPE1": "", "CTYPE2": ""}, (90, 130), "does not say where in the sky it lies"),
        (
            {"CTYPE2": "DEC--SIN"},
            (90, 130),
            r"make sense of the sky \(Inconsistent projection types",
        ),
        ({"CD1_1": 0, "CD2_1": 0}, (90, 130), r"sense of the sky \(its matrix is singular"),
        ({"CD1_3": 1e-5, "CTYPE3": "FREQ"}, (1, 90, 130), r"depends on axis 3.*\(CD1_3\)"),
        ({"BSCALE": "two"}, (90, 130), "its BSCALE is 'two', not a number"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_read_says_why(tmp_path, cards, shape, reason):
    hdu = fits.PrimaryHDU(np.ones(shape, np.float32), plain_header())
    hdu.header.update(cards)
    hdu.writeto(tmp_path / "a.fits", output_verify="ignore")
    with pytest.raises(BadFileError, match=reason) as caught:
        Mosaic(tmp_path / "a.fits")
    assert "\n" not in caught.value.reason and len(caught.value.reason) < 200


def test_a_mosaic_that_was_cut_off(tmp_path):
    fits.PrimaryHDU(sky_image(), plain_header()).writeto(tmp_path / "a.fits")
    (tmp_path / "a.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:20000])
    with pytest.raises(BadFileError, match="truncated: the header announces 46800 bytes"):
        Mosaic(tmp_path / "a.fits")


# --- scaled and blanked ---------------------------------------------------------------------------


def scaled_file(path, stored, compression=None, **cards):
    """A file of stored numbers, with cards that say what they mean."""
    header = plain_header(**cards)
    hdu = fits.PrimaryHDU(stored)
    if compression:
        hdu = fits.CompImageHDU(stored, compression_type=compression, tile_shape=(30, 50))
    hdu.header.update(header)
    hdus = [hdu] if compression is None else [fits.PrimaryHDU(), hdu]
    stream = io.BytesIO()
    fits.HDUList(hdus).writeto(stream)
    path.write_bytes(stream.getvalue())


MEANINGS = {
    "u2": ("i2", {"BZERO": 32768, "BSCALE": 1}),
    "u4": ("i4", {"BZERO": 2**31}),
    "i1": ("u1", {"BZERO": -128.0}),
    "BSCALE and BZERO": ("i2", {"BSCALE": 0.5, "BZERO": 1000.0}),
    "floats": ("f4", {"BSCALE": 2.0, "BZERO": -3.0}),
    "BLANK": ("i2", {"BLANK": -77}),
    "a BLANK of 0": ("i4", {"BLANK": 0}),
    "u2 with BLANK": ("i2", {"BZERO": 32768, "BLANK": -32768}),
    "scaled with BLANK": ("i4", {"BSCALE": 1e-3, "BZERO": 7.0, "BLANK": -1}),
}


@pytest.mark.parametrize(
    ("meaning", "compression"),
    [
        (meaning, compression)
        for meaning, (kind, _) in MEANINGS.items()
        for compression in (None, "RICE_1", "section")
        # What compresses floats has a scaling of its own.
        if kind != "f4" or not compression
    ],
)
def test_stored_numbers_are_scaled_and_blanks_are_gaps(tmp_path, monkeypatch, meaning, compression):
    kind, cards = MEANINGS[meaning]
    if compression == "section":
        # A compressed file too large to be unpacked whole.
        monkeypatch.setattr("lensnet.data.files.mosaics.SMALL_BYTES", 0)
        compression = "RICE_1"
    low, high = {"u1": (0, 255), "i2": (-(2**15) + 1, 2**15)}.get(kind, (-9999, 9999))
    if meaning == "u4":
        low, high = -(2**31), -(2**31) + 9999
    stored = np.random.default_rng(2).integers(low, high, (HEIGHT, WIDTH)).astype(kind)
    blank = cards.get("BLANK")
    if blank is not None:
        stored[stored == blank] += 1
        stored[12, 21] = blank
    scaled_file(tmp_path / "a.fits", stored, compression, **cards)
    # What the standard says that it means.
    expected = cards.get("BSCALE", 1) * stored.astype(np.float64) + cards.get("BZERO", 0)
    if blank is not None:
        expected[12, 21] = np.nan
    expected = expected.astype(np.float32)
    mosaic = Mosaic(tmp_path / "a.fits")
    for x, y in [(20, 15), (100, 60)]:
        cutout = mosaic.cut(x, y, SIZE).astype(np.float32)
        np.testing.assert_array_equal(cutout, Cutout2D(expected, (x, y), 9).data)
    whole = read_image(tmp_path / "a.fits")[..., 0]
    assert whole[12, 21] == (expected[12, 21] if blank is None else np.nanmedian(expected))
    np.testing.assert_array_equal(np.delete(whole, 12, axis=0), np.delete(expected, 12, axis=0))
