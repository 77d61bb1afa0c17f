"""Which tile holds a position's cutout whole, and tiles that do not go together."""

import logging

import numpy as np
import pytest
from mosaic_files import write_mosaic

from lensnet.data.files.mosaics import CutoutSize, Mosaic
from lensnet.data.tiles import TileIndex, list_tiles, read_tiles
from lensnet.errors import ConfigurationError, DataError

SIZE = CutoutSize(pixels=8)


def index_of(*patterns, bands=()):
    return TileIndex(read_tiles(list_tiles([str(p) for p in patterns], bands)), SIZE)


def found(index, positions):
    """Returns the name of each position's tile, or why it has none."""
    located = index.locate(*np.array(positions, float).T)
    return [
        located.problem.get(row, index.tiles[tile].tile.name if tile >= 0 else None)
        for row, tile in enumerate(located.tile.tolist())
    ]


def test_an_object_near_an_edge_is_taken_from_the_tile_that_holds_it_whole(tmp_path):
    # 40 pixels of 3.6 arcsec are 0.04 degrees; the two share the sky from 10.01 to 10.02.
    for name, ra in (("west", 10.0), ("east", 10.03)):
        write_mosaic(tmp_path / f"{name}.fits", ra, 0.0, scale=3.6)
    names = found(
        index_of(tmp_path / "*.fits"),
        [(10.0, 0), (10.0125, 0), (10.0175, 0), (10.03, 0), (10.03, 0.018), (11, 0), (190, 0)],
    )
    assert names[:4] == ["west", "west", "east", "east"]
    assert names[4] == "the cutout reaches over the edge of tile east, and no other holds it whole"
    assert names[5:] == ["outside all of the 2 tiles"] * 2


def test_right_ascension_of_0_and_360_lie_side_by_side(tmp_path):
    for name, ra in (("before", 359.98), ("across", 0.0), ("after", 0.02)):
        write_mosaic(tmp_path / f"{name}.fits", ra, -5.0, scale=3.6, side=30)
    positions = [(359.979, -5), (359.999, -5), (0.001, -5), (360.0, -5), (0.0205, -5)]
    names = found(index_of(tmp_path / "*.fits"), positions)
    assert names == ["before", "across", "across", "across", "after"]


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_pole_is_a_place_like_any_other(tmp_path, pole):
    write_mosaic(tmp_path / "pole.fits", 0.0, pole, scale=3.6)
    write_mosaic(tmp_path / "else.fits", 0.0, pole - np.sign(pole) * 0.03, scale=3.6)
    near = pole - np.sign(pole) * 0.005
    names = found(index_of(tmp_path / "*.fits"), [(ra, near) for ra in (0, 90, 180, 270.5)])
    assert names == ["pole"] * 4


@pytest.mark.parametrize("projection", ["TAN", "TAN-SIP", "TPV"])
def test_what_is_cut_out_is_where_the_distorted_sky_says(tmp_path, projection):
    pixels = np.zeros((40, 40), np.float32)
    stars = [(9, 30), (20, 20), (33, 8)]
    for place, (x, y) in enumerate(stars):
        pixels[y, x] = place + 1
    path = tmp_path / "tile.fits"
    wcs = write_mosaic(path, 150.0, 2.0, pixels=pixels, projection=projection)
    ra, dec = wcs.all_pix2world(*np.array(stars, float).T, 0)
    index = index_of(path)
    located = index.locate(ra, dec)
    assert located.tile.tolist() == [0, 0, 0]
    mosaic = Mosaic(path)
    size = CutoutSize(pixels=7)
    centres = [mosaic.cut(x, y, size)[3, 3] for x, y in mosaic.pixels_of(ra, dec)]
    assert centres == [1, 2, 3]
    if projection != "TAN":  # the distortion matters: without it, they would be elsewhere
        plain = wcs.wcs_world2pix(ra, dec, 0)
        moved = np.hypot(*(np.array(plain) - np.array(stars).T)).max()
        assert moved > 0.5 or projection == "TPV"


def test_bands_are_put_together_by_what_stands_for_the_wild_cards(tmp_path):
    for tile in ("0012", "0013"):
        for band in "gr":
            (tmp_path / band).mkdir(exist_ok=True)
            write_mosaic(tmp_path / band / f"t{tile}-{band}.fits", 10, 0)
    (tmp_path / "r" / "t0013-r.fits").unlink()
    by_name = list_tiles([str(tmp_path / "{band}" / "t*-{band}.fits")], ["g", "r"])
    by_band = list_tiles([str(tmp_path / "g" / "t*-g.fits"), str(tmp_path / "r" / "t*-r.fits")])
    assert [tile.name for tile in by_name] == ["0012", "0013"]
    assert [path.rpartition("/")[2] for path, _ in by_name[0].files] == [
        "t0012-g.fits",
        "t0012-r.fits",
    ]
    assert by_band == by_name
    (first, second) = read_tiles(by_name)
    assert first.problem is None
    assert second.problem == "t0013-r.fits: there is no such file"
    with pytest.raises(ConfigurationError, match="--bands"):
        list_tiles([str(tmp_path / "{band}" / "*.fits")])
    with pytest.raises(DataError, match="no mosaic"):
        list_tiles([str(tmp_path / "*.fit")])


def test_objects_on_bad_tiles_say_why(tmp_path):
    for number, scale in enumerate((1.0, 1.0, 1.0, 1.5)):
        write_mosaic(tmp_path / f"t{number}.fits", 10 + number, 0, scale=scale)
    whole = (tmp_path / "t1.fits").read_bytes()
    (tmp_path / "t1.fits").write_bytes(whole[:5000])
    (tmp_path / "t9.fits").write_bytes(b"no FITS file")
    names = found(index_of(tmp_path / "*.fits"), [(10, 0), (11, 0), (12, 0), (13, 0), (14, 0)])
    assert names[0] == "t0"
    assert names[1] == "tile t1: t1.fits: truncated: the header announces 6400 bytes of pixels"
    assert names[2] == "t2"
    assert names[3] == "tile t3: its pixels are 1.5 arcsec, where most tiles have 1"
    assert names[4] == "outside all of the 4 tiles (1 more cannot be read)"


def test_a_good_tile_is_preferred_to_a_bad_one_around_the_same_position(tmp_path):
    write_mosaic(tmp_path / "a.fits", 10, 0)
    write_mosaic(tmp_path / "b.fits", 10.002, 0)
    (tmp_path / "a.fits").write_bytes((tmp_path / "a.fits").read_bytes()[:5000])
    assert found(index_of(tmp_path / "*.fits"), [(10.0005, 0)]) == ["b"]


def test_other_zero_points_are_made_one_and_it_is_said(tmp_path, caplog):
    for number, card in enumerate(({"MAGZERO": 30.0}, {"MAGZERO": 30.0}, {"MAGZERO": 27.5}, {})):
        write_mosaic(tmp_path / f"t{number}.fits", 10 + number, 0, **card)
    with caplog.at_level(logging.WARNING):
        tiles = read_tiles(list_tiles([str(tmp_path / "*.fits")]))
    # One count at a zero point of 27.5 is the flux of 10 counts at 30.
    assert [tile.tile.factors for tile in tiles] == [(1,), (1,), (pytest.approx(10),), (1,)]
    assert "1 of 4 tiles have another zero point than most (30)" in caplog.text
    assert "1 of 4 tiles do not say their zero point" in caplog.text
