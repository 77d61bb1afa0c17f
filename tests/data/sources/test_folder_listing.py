"""Folders are listed in a stable order, bands together, every image under an id of its own."""

import os
from pathlib import Path

import pytest

from lensnet.csv_tables import name_from_text
from lensnet.data.files.band_pattern import BandPattern
from lensnet.data.sources.folder_listing import list_folder, walk_images
from lensnet.errors import DataError

GRI = BandPattern(("g", "r", "i"), "{id}_{band}")


@pytest.fixture
def touch(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        return tmp_path

    return make


def test_classes_and_order(touch):
    root = touch("b/2.npy", "b/10.npy", "a/1.fits", "a/notes.txt", "a/.hidden.npy", "a/x/3.png")
    listed = list_folder(root, ("b", "a")).examples
    assert [example.id for example in listed] == ["b/10", "b/2", "a/1", "a/x/3"]
    assert [example.label for example in listed] == ["b", "b", "a", "a"]
    assert listed[2].files == ("a/1.fits",) and listed[2].split is None


def test_split_folders(touch):
    root = touch("train/a/1.npy", "train/b/1.npy", "val/a/1.npy")
    folders = {"train": "train", "val": "validation"}
    listed = list_folder(root, ("a", "b"), folders).examples
    assert [(example.id, example.split) for example in listed] == [
        ("train/a/1", "train"),
        ("train/b/1", "train"),
        ("val/a/1", "validation"),
    ]


def test_an_empty_class_is_named(touch):
    root = touch("a/1.npy", "b/notes.txt")
    expected = 'class folder "b" in .* holds no image. In all folders lie 1 .txt'
    with pytest.raises(DataError, match=expected) as caught:
        list_folder(root, ("a", "b"))
    assert caught.value.exit_code == 3


def test_a_folder_named_like_an_image_is_listed(touch):
    root = touch("a/1.npy", "a/2.npy/inside.npy")
    assert [example.id for example in list_folder(root, ("a",)).examples] == ["a/1", "a/2"]


def test_two_kinds_of_one_name(touch):
    listed = list_folder(touch("a/1.fits", "a/1.png"), ("a",)).examples
    assert [example.id for example in listed] == ["a/1", "a/1.png"]
    assert listed[0].problem is None
    assert listed[1].problem == "named like 1.fits, but for the ending"


def test_bands_come_together_in_their_order(touch):
    root = touch(*(f"a/J_1_{band}.fits" for band in "giryz"), "a/other.fits")
    listing = list_folder(root, ("a",), bands=GRI)
    (example,) = listing.examples
    assert example.id == "a/J_1"
    assert example.files == ("a/J_1_g.fits", "a/J_1_r.fits", "a/J_1_i.fits")
    assert listing.left_out == ("a/J_1_y.fits", "a/J_1_z.fits", "a/other.fits")


def test_missing_and_doubled_bands_are_said(touch):
    root = touch("a/1_g.fits", "a/1_r.fits", "a/2_g.fits", *(f"a/3_{b}.fits" for b in "gri"))
    touch("a/3_g.npy")
    problems = {
        example.id: example.problem for example in list_folder(root, ("a",), bands=GRI).examples
    }
    assert problems == {
        "a/1": "band i is missing",
        "a/2": "bands r, i are missing",
        "a/3": "band g has more than one file",
    }


def test_no_file_of_the_bands(touch):
    with pytest.raises(DataError, match="file_pattern"):
        list_folder(touch("a/1.fits"), ("a",), bands=GRI)


@pytest.mark.parametrize(
    ("pattern", "stem", "parsed"),
    [
        ("{id}_{band}", "J0029_r", ("J0029", "r")),
        ("{id}_{band}", "J_r_g", ("J_r", "g")),
        ("imageSDSS_{band}-{id}", "imageSDSS_r-100007", ("100007", "r")),
        ("{band}.{id}", "r.a.b", ("a.b", "r")),
        ("{id}_{band}", "J0029_z", None),
        ("{id}_{band}", "_r", None),
    ],
)
def test_band_pattern(pattern, stem, parsed):
    assert BandPattern(("g", "r"), pattern).parse(stem) == parsed


def test_the_longest_band_name_wins():
    assert BandPattern(("Y", "VIS_Y"), "{id}{band}").parse("aVIS_Y") in [
        ("a", "VIS_Y"),
        ("aVIS_", "Y"),
    ]
    assert BandPattern(("r", "rr"), "{band}-{id}").parse("rr-1") == ("1", "rr")


def test_names_of_any_script_and_of_none(touch, tmp_path):
    root = touch("a/DESJ0329−2820.npy", "a/Größe.npy")
    with open(os.fsencode(tmp_path / "a") + b"/\xff.npy", "wb") as file:
        file.write(b"x")
    ids = [example.id for example in list_folder(root, ("a",)).examples]
    assert set(ids) == {"a/DESJ0329−2820", "a/Größe", "a/\\xff"}
    assert all(name.encode() for name in ids)  # can be written
    assert os.fsencode(name_from_text("a/\\xff")) == b"a/\xff"  # and read back


def test_linked_folders_do_not_lead_in_circles(touch):
    root = touch("a/1.npy")
    (root / "a" / "again").symlink_to(root / "a")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "deep").mkdir()
    (root / "a" / "deep" / "up").symlink_to(root / "a")
    assert list(walk_images(root / "a")) == ["1.npy"]


def test_a_linked_folder_is_part_of_its_class(touch):
    """As where images lie on another disk; once, however many links lead there."""
    root = touch(
        "disk/set1/1.npy", "disk/set1/more/2.npy", "classes/a/0.npy", "classes/a/own/3.npy"
    )
    links = {
        "first": "disk/set1/more",
        "second": "disk/set1",
        "z": "disk/set1/more",
        "in": "classes/a/own",
    }
    for name, target in links.items():
        (root / "classes" / "a" / name).symlink_to(root / target)
    found = [example.id for example in list_folder(root / "classes", ("a",)).examples]
    assert found == ["a/0", "a/first/2", "a/own/3", "a/second/1"]
    assert list(walk_images(root / "classes", through_links=False)) == ["a/0.npy", "a/own/3.npy"]


def test_what_a_user_should_know_of_the_folders(touch):
    root = touch(
        *(f"a/{index}.jpg" for index in range(5)),
        "a/9.npy",
        "b/1.npy",
        "b/2.tif",
        "b/notes",
        "5.npy",
    )
    remarks = list_folder(root, ("a", "b")).remarks
    assert remarks == (
        f"1 image files lie in no class folder of {root}, such as 5.npy: left out.",
        f"The images in {root} are of more than one kind: 5 .jpg, 2 .npy. "
        "Not every class has each, so that a network may tell the kinds apart instead.",
        f"Files in {root} that are not read, because of their endings: 1 without an ending, "
        "1 .tif. Images are .npy, .npz, FITS, .png and .jpg files.",
    )


def test_class_folders_that_look_like_splits(touch):
    root = touch(
        *(f"{outer}/{inner}/1.npy" for outer in ("run1", "run2") for inner in ("no", "yes"))
    )
    (remark,) = list_folder(root, ("run1", "run2")).remarks
    assert "(run1, run2) hold the same folders (no, yes)" in remark
    assert "name those train, validation and test" in remark
    touch("run1/maybe/1.npy")
    assert list_folder(root, ("run1", "run2")).remarks == ()
    touch("lens/train/1.npy", "lens/test/1.npy", "other/train/1.npy", "other/test/1.npy")
    (remark,) = list_folder(root, ("lens", "other")).remarks
    assert "hold the same folders (test, train), which no split follows" in remark


def test_a_folder_that_cannot_be_listed(tmp_path):
    with pytest.raises(DataError, match="cannot be listed"):
        list(walk_images(Path(tmp_path) / "gone"))
