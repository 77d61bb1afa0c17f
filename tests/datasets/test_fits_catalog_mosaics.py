"""Images that a table says the positions of, cut out of mosaics."""

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from catalogue_files import write_table

from lensnet.errors import DataError

PAN_STARRS = Path(__file__).parent.parent / "data" / "files" / "pan_starrs"


def sky(size, scale_arcsec, angle_degrees=20.0):
    """A tangential projection, turned against north."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [size / 3, size / 2]
    cosine, sine = np.cos(np.radians(angle_degrees)), np.sin(np.radians(angle_degrees))
    wcs.wcs.cd = scale_arcsec / 3600 * np.array([[-cosine, sine], [sine, cosine]])
    return wcs


@pytest.fixture
def mosaics(tmp_path):
    """Two mosaics of one field, one in an extension, and forty positions, some of them off it."""
    field, random = sky(200, 0.2), np.random.default_rng(0)
    g = random.normal(size=(200, 200)).astype(">f4")
    r = random.integers(-9999, 9999, (200, 200)).astype(np.int16)
    image = fits.CompImageHDU(r, field.to_header(), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "r.fits")
    places = random.uniform(90, 180, (40, 2))
    places[3], places[4], places[5] = (5, 100), (100, 197), (300, 100)
    # A hole in the field, as where a detector is missing.
    places[8] = (60, 60)
    g[45:75, 45:75] = np.nan
    fits.PrimaryHDU(g, field.to_header()).writeto(tmp_path / "g.fits")
    positions = field.pixel_to_world(*places.T).icrs
    rows = [
        {"name": f"o{i}", "RA": float(p.ra.deg), "DEC": float(p.dec.deg), "lens": i % 2}
        for i, p in enumerate(positions)
    ]
    rows[6].update(RA="10:00:00", DEC="2.0")
    rows[7].update(RA="330.0", DEC="-2.0")
    write_table(tmp_path / "positions.csv", rows)
    return tmp_path


POSITIONS = {
    "label_column": "lens",
    "id_column": "name",
    "ra_column": "RA",
    "dec_column": "DEC",
    "max_bad": 0.2,
}


@pytest.mark.parametrize("size", [{"size_pixels": 16}, {"size_arcsec": 3.28}], ids=str)
def test_cutouts_are_those_of_astropy(mosaics, prepare_catalogue, read_back, size):
    options = {**POSITIONS, "mosaics": ["g.fits", "r.fits[SCI]"], **size}
    data = prepare_catalogue(mosaics, "binary", **options)
    assert data.native_shape == (16, 16, 2)
    reasons = sorted(quarantined.reason for quarantined in data.quarantine)
    assert reasons == [
        "o3: the cutout reaches over its edge",
        "o4: the cutout reaches over its edge",
        "o5: the position is not on it",
        "o7: the position is not on it",
        "o8: 50 % of its pixels are not finite; 5 % may be",
        'positions.csv line 8: its position is "10:00:00", "2.0", not right ascension and '
        "declination in degrees",
    ]
    assert {quarantined.file for quarantined in data.quarantine} == {"g.fits", "o6"}
    records = read_back(data)
    assert len(records) == 34
    for band, (file, hdu) in enumerate((("g.fits", 0), ("r.fits", 1))):
        with fits.open(mosaics / file) as hdus:
            whole, field = hdus[hdu].data, WCS(hdus[hdu].header)
        for name, record in records.items():
            row = rows_of(mosaics)[name]
            position = SkyCoord(float(row["RA"]), float(row["DEC"]), unit="deg")
            side = size.get("size_pixels") or size["size_arcsec"] * units.arcsec
            expected = Cutout2D(whole, position, side, wcs=field).data
            np.testing.assert_array_equal(record.image[..., band], expected)


def rows_of(directory):
    return {row["name"]: row for row in csv.DictReader(open(directory / "positions.csv"))}


def test_without_ids_a_position_is_one(mosaics, prepare_catalogue, read_back):
    options = {**POSITIONS, "mosaics": ["g.fits"], "size_pixels": 8, "id_column": None}
    records = read_back(prepare_catalogue(mosaics, "binary", **options))
    row = rows_of(mosaics)["o9"]
    assert f"{row['RA']} {row['DEC']}" in records


def test_cutouts_out_of_each_rows_own_file(tmp_path, prepare_catalogue, read_back):
    """Real images: a lens of Pan-STARRS1, each copy with noise of its own."""
    random = np.random.default_rng(0)
    rows = []
    for index in range(20):
        for band in "gr":
            with fits.open(PAN_STARRS / f"SDSSJ1206+5142_{band}.fits") as hdus:
                hdus[0].data = hdus[0].data + random.normal(size=(40, 40)).astype(np.float32)
                field = WCS(hdus[0].header)
                hdus.writeto(tmp_path / f"{index}_{band}.fits")
        place = field.pixel_to_world(20 + 0.3 * index, 19).icrs
        row = {"g": f"{index}_g.fits", "r": f"{index}_r.fits", "kind": index % 2}
        rows.append({**row, "ra": place.ra.deg, "dec": place.dec.deg})
    write_table(tmp_path / "table.csv", rows)
    options = {"file_columns": ["g", "r"], "label_column": "kind", "size_arcsec": 4.0}
    data = prepare_catalogue(tmp_path, "binary", **options)
    assert data.native_shape == (16, 16, 2)
    records = read_back(data)
    for index in (0, 7, 19):
        place = SkyCoord(rows[index]["ra"], rows[index]["dec"], unit="deg")
        for channel, band in enumerate("gr"):
            whole, header = fits.getdata(tmp_path / f"{index}_{band}.fits", header=True)
            expected = Cutout2D(whole, place, 4 * units.arcsec, wcs=WCS(header)).data
            np.testing.assert_array_equal(records[f"{index}_g"].image[..., channel], expected)


def test_mosaics_that_cannot_serve(mosaics, prepare_catalogue):
    fits.writeto(mosaics / "blind.fits", np.ones((50, 50)))
    for names, message in (
        (["gone.fits"], "gone.fits: there is no such file"),
        (["blind.fits"], "does not say where in the sky"),
        (["r.fits[9]"], "it has no HDU 9"),
        (["positions.csv"], "not a FITS file"),
    ):
        with pytest.raises(DataError, match=message):
            prepare_catalogue(mosaics, "binary", **POSITIONS, mosaics=names, size_pixels=8)
