"""What a compressed image does to its decoder is no harm to anything else."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import deque

import numpy as np
import pytest
from astropy.io import fits

from lensnet.data.files import compressed_fits
from lensnet.data.files.fits_files import decode_fits

PIXELS = np.arange(400, dtype=np.int32).reshape(20, 20)

# A server whose decoder ends as a C library would that writes beyond its memory, or never ends.
HARMED = """
import json, os, signal, sys, time
sys.path[:] = json.loads(sys.argv[1])
from lensnet.data.files import compressed_fits
unpacked = compressed_fits._unpacked
def harmed(data, place):
    if b"CRASHES" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"HANGS" in data:
        time.sleep(100)
    return unpacked(data, place)
compressed_fits._unpacked = harmed
compressed_fits.MAX_SECONDS = 1
compressed_fits.serve()
"""


def compressed(compression, note=""):
    image = fits.CompImageHDU(PIXELS, compression_type=compression)
    image.header["NOTE"] = note
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(stream)
    return stream.getvalue()


@pytest.fixture
def servers(monkeypatch):
    """Servers of the test's own."""
    own = deque()
    monkeypatch.setattr(compressed_fits, "_idle", own)
    yield own
    while own:
        compressed_fits._end(own.pop())


@pytest.mark.parametrize("compression", ["RICE_1", "HCOMPRESS_1"])
@pytest.mark.parametrize(
    ("note", "reason"),
    [("CRASHES", "its compressed pixels make no sense"), ("HANGS", "unpacking it takes more than")],
)
def test_a_decoder_that_dies_is_a_bad_file(monkeypatch, servers, compression, note, reason):
    monkeypatch.setattr(compressed_fits, "_PROGRAM", HARMED)
    with pytest.raises(ValueError, match=reason):
        decode_fits(compressed(compression, note))
    np.testing.assert_array_equal(decode_fits(compressed(compression)), PIXELS)


def test_one_server_unpacks_many(servers):
    for _ in range(3):
        np.testing.assert_array_equal(decode_fits(compressed("RICE_1")), PIXELS)
        np.testing.assert_array_equal(decode_fits(compressed("HCOMPRESS_1")), PIXELS)
    assert len(servers) == 1


def test_a_server_that_was_ended_is_replaced(servers):
    decode_fits(compressed("GZIP_1"))
    servers[0].kill()
    servers[0].wait()
    np.testing.assert_array_equal(decode_fits(compressed("GZIP_1")), PIXELS)


def test_servers_end_with_the_process_that_started_them(tmp_path):
    (tmp_path / "a.fits.fz").write_bytes(compressed("RICE_1"))
    code = f"""
        import os, signal
        from lensnet.data import read_image
        from lensnet.data.files import compressed_fits
        read_image({str(tmp_path / "a.fits.fz")!r})
        print(compressed_fits._idle[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code = textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    server = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(server, 0)
            # Ended, and waiting for somebody to take note of it.
            with open(f"/proc/{server}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.1)
    raise AssertionError(f"Process {server} still runs.")
