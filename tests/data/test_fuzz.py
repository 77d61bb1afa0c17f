"""Files with random bytes changed are read or refused: none crashes the reader, none holds it up.

A change far inside the pixels makes another image; one in a header makes anything. Half of the
changes therefore fall into the first bytes of a file, and half of those write a digit, which is
what sizes and counts are made of.
"""

import faulthandler
import gzip
import io
import pickle
import time
from collections import Counter

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from lensnet.data import BadFileError, prepare
from lensnet.data.files.decoding import decode
from lensnet.data.files.fits_files import without_astropy_warnings

SECONDS = 30.0
"""What no single file may take; the slowest seen takes a fiftieth of it."""

PIXELS = np.random.default_rng(0).normal(100, 20, (24, 24)).clip(1, 250)


def npy(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=True)
    return stream.getvalue()


def object_array(protocol):
    pair = np.empty(2, dtype=object)
    pair[:] = [PIXELS.astype(np.int64), 2.5e-23]
    header = npy(pair)
    length = 10 + int.from_bytes(header[8:10], "little")
    return header[:length] + pickle.dumps(pair, protocol)


def fits_file(*hdus):
    stream = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(stream)
    return stream.getvalue()


def tiles(compression, dtype):
    image = fits.CompImageHDU(
        PIXELS.astype(dtype), compression_type=compression, quantize_level=16.0
    )
    return fits_file(fits.PrimaryHDU(), image)


def png(array, **options):
    stream = io.BytesIO()
    picture = Image.fromarray(array)
    (picture.quantize(32) if options.get("palette") else picture).save(stream, "png")
    return stream.getvalue()


def jpeg(array, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "jpeg", **options)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def scaled_integers():
    hdu = fits.PrimaryHDU(PIXELS.astype(np.float32))
    hdu.scale("int16", bscale=0.01, bzero=100)
    hdu.header["BLANK"] = 7
    return fits_file(hdu)


def extensions():
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(9.0))])
    return fits_file(fits.PrimaryHDU(), table, fits.ImageHDU(PIXELS.astype(">f4"), name="SCI"))


MAKERS = {
    "float64.npy": lambda: npy(PIXELS),
    "bands.npy": lambda: npy(np.asfortranarray(PIXELS.reshape(4, 12, 12).astype(">i2")), (2, 0)),
    "object3.npy": lambda: object_array(3),
    "object4.npy": lambda: object_array(4),
    "float32.fits": lambda: fits_file(fits.PrimaryHDU(PIXELS.astype(">f4"))),
    "scaled.fits": scaled_integers,
    "extensions.fits": extensions,
    "float32.fits.gz": lambda: gzip.compress(
        fits_file(fits.PrimaryHDU(PIXELS.astype(">f4"))), mtime=0
    ),
    "rice.fits.fz": lambda: tiles("RICE_1", "i2"),
    "rice_float.fits.fz": lambda: tiles("RICE_1", "f4"),
    "gzip1.fits.fz": lambda: tiles("GZIP_1", "i4"),
    "gzip2.fits.fz": lambda: tiles("GZIP_2", "f4"),
    "hcompress.fits.fz": lambda: tiles("HCOMPRESS_1", "i4"),
    "plio.fits.fz": lambda: tiles("PLIO_1", "i2"),
    "grey8.png": lambda: png(PIXELS.astype(np.uint8)),
    "grey16.png": lambda: png((100 * PIXELS).astype(np.uint16)),
    "colour.png": lambda: png(np.dstack([PIXELS] * 3).astype(np.uint8)),
    "grey.jpg": lambda: jpeg(PIXELS.astype(np.uint8)),
    "colour.jpg": lambda: jpeg(np.dstack([PIXELS] * 3).astype(np.uint8), progressive=True),
    "one.npz": lambda: npz(image=PIXELS),
    "palette.png": lambda: png(np.dstack([PIXELS] * 3).astype(np.uint8), palette=True),
}


def changed(data, random):
    """Returns bytes with one to eight of them changed, or a handful of bits."""
    result = bytearray(data)
    # Two headers: that of a compressed image is the second.
    head = min(len(data), 3 * 2880 if data[:6] == b"SIMPLE" else 160)
    for _ in range(int(random.integers(1, 9))):
        if random.random() < 0.5:
            result[random.integers(len(data))] = random.integers(256)
        elif random.random() < 0.5:
            result[random.integers(head)] ^= 1 << int(random.integers(8))
        else:
            # A digit where a digit was, most often: another size, another count.
            digits = [at for at in range(head) if result[at] in b"0123456789"]
            at = random.choice(digits) if digits else random.integers(head)
            result[at] = random.choice(list(b"0123456789-"))
    return bytes(result)


def mutants(seed, count):
    """Yields (name, bytes), as many of each kind."""
    originals = {name: make() for name, make in MAKERS.items()}
    for number in range(count):
        name = list(originals)[number % len(originals)]
        yield name, changed(originals[name], np.random.default_rng([seed, number]))


def outcome(path):
    """Returns "read" or "refused", and the seconds that it took."""
    start = time.perf_counter()
    try:
        found = decode(path)
        assert found.image.dtype == np.float32 and np.isfinite(found.image).all()
        assert found.image.ndim == 3 and found.image.flags.c_contiguous
        result = "read"
    except BadFileError as error:
        assert error.reason and "\n" not in error.reason and len(error.reason) < 200
        result = "refused"
    return result, time.perf_counter() - start


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_changed_could_be_read(tmp_path, name):
    """Else the fuzz would try nothing."""
    (tmp_path / name).write_bytes(MAKERS[name]())
    image = decode(tmp_path / name).image
    assert image.shape[:2] == ((12, 12) if name == "bands.npy" else (24, 24))


def test_a_thousand_changed_files(tmp_path):
    outcomes = {name: Counter() for name in MAKERS}
    slowest = (0.0, "")
    # A reader that hangs would hang the tests: then the interpreter says where, and ends.
    faulthandler.dump_traceback_later(120, exit=True)
    try:
        with without_astropy_warnings():
            for number, (name, data) in enumerate(mutants(0, 1000)):
                path = tmp_path / f"{number}-{name}"
                path.write_bytes(data)
                what, seconds = outcome(path)
                outcomes[name][what] += 1
                slowest = max(slowest, (seconds, path.name))
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert sum(sum(counts.values()) for counts in outcomes.values()) == 1000
    assert slowest[0] < SECONDS, slowest
    # Each kind is refused in part; and read, but where any change of a byte shows in a checksum.
    for name, counts in outcomes.items():
        assert counts["refused"], name
        assert counts["read"] or name.endswith((".png", ".gz", ".npz")), name


def test_a_folder_of_changed_files_is_prepared(tmp_path, make_experiment):
    """Through the whole preparation: every one is a record, or a row of the quarantine."""
    (tmp_path / "source" / "changed").mkdir(parents=True)
    (tmp_path / "source" / "good").mkdir()
    for index in range(300):
        np.save(tmp_path / "source" / "good" / f"{index}.npy", PIXELS + index % 7)
    for number, (name, data) in enumerate(mutants(1, 200)):
        (tmp_path / "source" / "changed" / f"{number}-{name}").write_bytes(data)
    data = prepare(make_experiment(tmp_path / "source", options={"max_bad": 1.0}))
    good = [name for split in ("train", "validation", "test") for name in data.examples(split).ids]
    assert len(good) + len(data.quarantine) == 500
    assert sum(name.startswith("good/") for name in good) == 300
    assert all(bad.file.startswith("changed/") and bad.reason for bad in data.quarantine)
