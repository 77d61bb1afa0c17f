"""What a compressed image does to its decoder is no harm to anything else."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from astropy.io import fits

from lensnet.data.files.fits_files import decode_fits

PIXELS = np.arange(400, dtype=np.int32).reshape(20, 20)


def compressed(compression, note=""):
    image = fits.CompImageHDU(PIXELS, compression_type=compression)
    image.header["NOTE"] = note
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(stream)
    return stream.getvalue()


def children(of):
    """The processes that a process and its children have started, dead ones left out."""
    parents = {}
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(entry)] = int(parent)
    found = {of}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {of}


def run(script):
    """Runs a script, which finds the modules beside it; returns what became of it."""
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(script.parent)},
    )


# A decoder that ends as a C library would that writes beyond its memory, or that never ends. The
# server that workers are forked from imports it first.
HARMED = """
import os, signal, time
from astropy.io import fits

opening = fits.open

def harmed(file, *arguments, **options):
    data = file.getvalue()
    if b"CRASHES" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"HANGS" in data:
        time.sleep(100)
    return opening(file, *arguments, **options)

fits.open = harmed
"""


@pytest.mark.parametrize("compression", ["RICE_1", "HCOMPRESS_1"])
def test_a_decoder_that_dies_is_a_bad_file(tmp_path, compression):
    """In a process of its own, whose workers have a decoder that dies."""
    (tmp_path / "good.fits").write_bytes(compressed(compression))
    (tmp_path / "crash.fits").write_bytes(compressed(compression, "CRASHES"))
    (tmp_path / "hang.fits").write_bytes(compressed(compression, "HANGS"))
    (tmp_path / "harmed.py").write_text(HARMED)
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import multiprocessing, os
        multiprocessing.set_forkserver_preload(["harmed"])
        from lensnet.data import BadFileError, read_image
        from lensnet.data.files import compressed_fits
        compressed_fits.MAX_SECONDS = 1
        for name in ("crash", "hang", "good"):
            path = os.path.join(os.path.dirname(__file__), name + ".fits")
            try:
                print(read_image(path).sum())
            except BadFileError as error:
                print(error.reason)
        """)
    )
    done = run(script)
    assert done.stdout.splitlines() == [
        "damaged FITS file (its compressed pixels make no sense)",
        "damaged FITS file (unpacking it takes more than 1 s)",
        str(float(PIXELS.sum())),
    ], done.stderr


def test_damaged_tiles_are_bad_files():
    """HCOMPRESS's decoder crashes on some of them, and astropy refuses others."""
    whole = compressed("HCOMPRESS_1")
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(20):
        harmed = bytearray(whole)
        # Behind the two headers and the table of the tiles.
        for place in random.integers(len(whole) - 2880, len(whole) - 2000, 20):
            harmed[place] = random.integers(256)
        try:
            decode_fits(bytes(harmed))
        except ValueError as error:
            refused += 1
            assert str(error).startswith("damaged FITS file (")
    assert refused
    np.testing.assert_array_equal(decode_fits(whole), PIXELS)


def test_workers_are_used_again():
    np.testing.assert_array_equal(decode_fits(compressed("RICE_1")), PIXELS)
    before = children(os.getpid())
    for _ in range(3):
        np.testing.assert_array_equal(decode_fits(compressed("RICE_1")), PIXELS)
        np.testing.assert_array_equal(decode_fits(compressed("HCOMPRESS_1")), PIXELS)
    assert children(os.getpid()) <= before


def test_a_worker_that_was_ended_is_replaced():
    decode_fits(compressed("GZIP_1"))
    for child in children(os.getpid()):
        with open(f"/proc/{child}/cmdline") as file:
            words = file.read()
        if "forkserver" in words or "spawn_main" in words:
            os.kill(child, signal.SIGKILL)
    np.testing.assert_array_equal(decode_fits(compressed("GZIP_1")), PIXELS)


def test_a_script_is_not_run_again(tmp_path):
    """One that reads images without a guard against being imported."""
    (tmp_path / "a.fits.fz").write_bytes(compressed("RICE_1"))
    script = tmp_path / "script.py"
    script.write_text(
        "import lensnet.data, os\n"
        "print('begun')\n"
        "path = os.path.join(os.path.dirname(__file__), 'a.fits.fz')\n"
        "print(lensnet.data.read_image(path).shape)\n"
    )
    done = run(script)
    assert done.stdout.splitlines() == ["begun", "(20, 20, 1)"], done.stderr


def test_workers_end_with_the_process_that_started_them(tmp_path):
    (tmp_path / "a.fits.fz").write_bytes(compressed("RICE_1"))
    code = f"""
        import os, sys
        from lensnet.data import read_image
        read_image({str(tmp_path / "a.fits.fz")!r})
        print("read", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"read\n"
        started = children(process.pid)
        assert started
        process.kill()
    for _ in range(200):
        left = [child for child in started if os.path.exists(f"/proc/{child}/status")]
        left = [child for child in left if b"Z" not in _state(child)]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"Processes {left} still run.")


def _state(process):
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0]
    except OSError:
        return b"Z"
