"""Whatever is wrong with a file, preparation goes on, says what it was, and counts it.

Each case is put among forty good files and prepared: it must be the one file in the quarantine,
with a reason that says what is wrong.
"""

import csv
import io
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from lensnet.csv_tables import name_from_text, read_dicts
from lensnet.data import BadFileError, prepare, read_image
from lensnet.data.files import decoding
from lensnet.datasets.image_folder.image_folder_dataset_builder import Builder
from lensnet.datasets.image_folder.options import Options

GOOD = np.random.default_rng(0).random((8, 8))
FITS = fits.PrimaryHDU(GOOD.astype(">f4"))


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def fits_bytes():
    stream = io.BytesIO()
    FITS.writeto(stream)
    return stream.getvalue()


class Calls:
    """What a pickle must not do: make a directory."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def calling(path):
    pair = np.empty(2, dtype=object)
    pair[:] = [GOOD, Calls(path)]
    return npy(pair, allow_pickle=True)


def filled(value):
    return npy(np.full((8, 8), value))


# What is wrong, the file's name, what makes it at a path, and the reason.
BAD = {
    "truncated npy": ("x.npy", lambda p: p.write_bytes(npy(GOOD)[:300]), "truncated: 172 bytes"),
    "npy cut in its header": ("x.npy", lambda p: p.write_bytes(npy(GOOD)[:50]), "truncated"),
    "truncated FITS": ("x.fits", lambda p: p.write_bytes(fits_bytes()[:2900]), "truncated"),
    "FITS cut in its header": ("x.fits", lambda p: p.write_bytes(fits_bytes()[:400]), "damaged"),
    "zero bytes, npy": ("x.npy", lambda p: p.write_bytes(b""), "the file is empty"),
    "zero bytes, FITS": ("x.fits", lambda p: p.write_bytes(b""), "the file is empty"),
    "zero bytes, png": ("x.png", lambda p: p.write_bytes(b""), "the file is empty"),
    "wrong magic, npy": ("x.npy", lambda p: p.write_bytes(fits_bytes()), "not a NumPy file"),
    "wrong magic, FITS": ("x.fits", lambda p: p.write_bytes(npy(GOOD)), "not a FITS file"),
    "wrong magic, png": ("x.png", lambda p: p.write_bytes(npy(GOOD)), "not a PNG file"),
    "wrong shape": (
        "x.npy",
        lambda p: p.write_bytes(npy(np.eye(8, 9))),
        r"shape \(8, 9, 1\), the others have \(8, 8, 1\)",
    ),
    "one extra channel": (
        "x.npy",
        lambda p: p.write_bytes(npy(np.stack([GOOD, GOOD]))),
        r"shape \(8, 8, 2\), the others have \(8, 8, 1\)",
    ),
    "all NaN": ("x.npy", lambda p: p.write_bytes(filled(np.nan)), "100 % .* not finite"),
    "all equal": ("x.npy", lambda p: p.write_bytes(filled(3.5)), "all pixels have one value"),
    "inf": (
        "x.npy",
        lambda p: p.write_bytes(npy(np.where(GOOD > 0.5, np.inf, GOOD))),
        r"[345]\d.* % of its pixels are not finite; 5 % may be",
    ),
    "a pickle that calls a function": (
        "x.npy",
        lambda p: p.write_bytes(calling(p.parent.parent / "ran")),
        "the pickle names .*mkdir, which no array",
    ),
    "a directory named like an image": ("x.npy", lambda p: p.mkdir(), "a directory, not a file"),
    "a broken symbolic link": ("x.npy", lambda p: p.symlink_to("gone.npy"), "a broken link"),
    "a link to itself": ("x.npy", lambda p: p.symlink_to("x.npy"), "cannot be read .*symbolic"),
    "a pipe": ("x.npy", os.mkfifo, "not a regular file"),
    "a duplicate id": ("3.fits", lambda p: p.write_bytes(fits_bytes()), "named like 3.npy"),
    "an empty array": ("x.npy", lambda p: p.write_bytes(npy(np.ones((0, 8)))), "no pixels"),
    "text as pixels": ("x.npy", lambda p: p.write_bytes(npy(np.array([["a"] * 8] * 8))), "str"),
}


@pytest.mark.parametrize("what", BAD)
def test_it_is_the_one_bad_file(write_folder, make_experiment, caplog, what):
    name, make, reason = BAD[what]
    source = write_folder({"a": 20, "b": 20})
    make(source / "b" / name)
    data = prepare(make_experiment(source, options={"max_bad": 0.05}))
    (bad,) = data.quarantine
    # Of two forms of one object the first by name is taken: 3.fits, before 3.npy.
    assert bad.file == ("b/3.npy" if what == "a duplicate id" else f"b/{name}")
    if what == "a duplicate id":
        reason = "named like 3.fits, but for the ending"
    assert re.search(reason, bad.reason), bad.reason
    assert sum(len(data.examples(s).ids) for s in ("train", "validation", "test")) == 40
    assert "1 bad files were left out" in caplog.text
    assert not (source / "ran").exists()


def test_a_file_without_read_permission(write_folder, make_experiment, monkeypatch):
    """The whole way, the refusal being made here: who runs the tests may be allowed everything."""
    source = write_folder({"a": 20, "b": 20})

    def refuse(path, mode):
        if Path(path).parts[-2:] == ("a", "7.npy"):
            raise PermissionError(13, "Permission denied")
        return open(path, mode)

    monkeypatch.setattr(decoding, "open", refuse, raising=False)
    data = prepare(make_experiment(source, options={"max_bad": 0.05}))
    assert dict(data.quarantine) == {"a/7.npy": "no permission to read it"}


def test_what_the_system_refuses():
    """The refusal itself, as nobody where the tests are run by the superuser."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "a.npy"
        np.save(path, GOOD)
        os.chmod(path, 0o000)
        superuser = os.geteuid() == 0
        if superuser:
            os.seteuid(65534)
        try:
            with pytest.raises(BadFileError) as caught:
                read_image(path)
        finally:
            if superuser:
                os.seteuid(0)
    assert caught.value.reason == "no permission to read it"


def test_names_of_any_script(write_folder, make_experiment, caplog):
    source = write_folder({"Größe": 20, "линза": 20, "four": 20, "=1+1": 20})
    (source / "линза" / "3.npy").rename(source / "линза" / "DESJ0329−2820 ⊙, «3».npy")
    with open(os.fsencode(source / "Größe") + b"/bad\xff.npy", "wb"):
        pass
    # Nor need the names of folders be text; and what is a formula elsewhere is a name here.
    (source / "four").rename(source / os.fsdecode(b"\xfe"))
    (source / "=1+1" / "3.npy").rename(source / "=1+1" / "a\rb\n.npy")
    # What is odd, though not bad, is said.
    (source / "Größe" / "notes.txt").write_text("")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray((255 * GOOD).astype(np.uint8)).save(source / "Größe" / "x.jpg", exif=exif)
    data = prepare(make_experiment(source, options={"max_bad": 0.05}))
    assert "more than one kind: 81 .npy, 1 .jpg." in caplog.text and "1 .txt." in caplog.text
    assert "The orientation tag (EXIF) of 1 images was ignored" in caplog.text
    assert data.classes == ("=1+1", "Größe", "\\xfe", "линза")
    rows = {row["id"]: row for row in read_dicts(data.directory / "examples.csv")}
    assert rows["линза/DESJ0329−2820 ⊙, «3»"]["label"] == "линза" and len(rows) == 81
    assert rows["=1+1/a\rb\n"]["label"] == "=1+1"
    assert all((source / name_from_text(row["file"])).is_file() for row in rows.values())
    with open(data.directory / "examples.csv", encoding="utf-8", newline="") as file:
        assert not any(cell.startswith("=") for row in csv.reader(file) for cell in row)
    recorded = [record["id"].numpy().decode() for record in data.builder.as_dataset(split="train")]
    assert recorded == list(data.examples("train").ids)
    # The name that is no text in any script can still be written, and told.
    (bad,) = data.quarantine
    assert bad.reason == "the file is empty" and "bad\\" in bad.file and "ff.npy" in bad.file


# --- many files -----------------------------------------------------------------------------------


@pytest.fixture
def many_files(request):
    """A folder of as many files as asked for, and one of three: names for eight small files."""
    folder = Path(tempfile.mkdtemp(prefix="many-files-"))
    (folder / "originals").mkdir()
    for label in ("crowd", "few"):
        (folder / "source" / label).mkdir(parents=True)
    for number in range(8):
        original = folder / "originals" / f"{number}.npy"
        np.save(original, np.random.default_rng(number).random((8, 8), dtype=np.float32))
        for index in range(number, request.param, 8):
            os.link(original, folder / "source" / "crowd" / f"{index}.npy")
        if number < 3:
            os.link(original, folder / "source" / "few" / f"{number}.npy")
    yield folder / "source"
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "many_files", [8_000, pytest.param(100_000, marks=pytest.mark.slow)], indirect=True
)
def test_many_files_in_one_folder(many_files):
    """Listed, named by a fingerprint and divided, before any is read."""
    config = Builder.configure("", Options(), source_dir=many_files)
    builder = Builder(config=config, data_dir=many_files.parent / "prepared")
    count = len(list((many_files / "crowd").iterdir())) + 3
    assert len(config.listing.examples) == count
    lengths = {split: len(examples) for split, examples in builder.examples.items()}
    assert sum(lengths.values()) == count
    # Shares of the hash: four standard deviations of a binomial.
    most = 4 * (0.09 * count) ** 0.5
    assert lengths["test"] == pytest.approx(0.1 * count, abs=most)
    assert lengths["validation"] == pytest.approx(0.1 * count, abs=most)
    # One of them touched is another source.
    (many_files / "crowd" / "7777.npy").unlink()
    assert Builder.configure("", Options(), source_dir=many_files).name != config.name


@pytest.mark.slow
@pytest.mark.parametrize("many_files", [100_000], indirect=True)
def test_a_hundred_thousand_files_prepared(many_files, make_experiment):
    source = many_files
    (source / "crowd" / "5.npy").unlink()
    (source / "crowd" / "5.npy").write_bytes(b"")
    for index in range(10):
        (source / "crowd" / f"{index}.npy").rename(source / "few" / f"{10 + index}.npy")
    data = prepare(make_experiment(source))
    assert dict(data.quarantine) == {"few/15.npy": "the file is empty"}
    lengths = [len(data.examples(split).ids) for split in ("train", "validation", "test")]
    assert sum(lengths) == 100_002
