"""Pickled arrays are read, and nothing that a pickle says is ever run."""

import io
import os
import pickle
import pickletools

import numpy as np
import pytest

from lensnet.data.files.object_arrays import load_object_array

IMAGE = np.arange(30, dtype=np.int64).reshape(5, 6)


def pair(image=IMAGE, number=2.5e-23):
    array = np.empty(2, dtype=object)
    array[:] = [image, number]
    return array


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("number", [2.5e-23, np.float64(2.5e-23), 3, np.int64(3), np.float32(0.5)])
def test_reads_an_image_and_a_number(protocol, number):
    image, extras = load_object_array(pickle.dumps(pair(number=number), protocol))
    np.testing.assert_array_equal(image, IMAGE)
    assert extras == (float(number),)


@pytest.mark.parametrize("protocol", [2, 3])
def test_reads_what_either_numpy_wrote(protocol):
    # These protocols write a module's name as a line of text.
    written = pickle.dumps(pair(), protocol)
    old = written.replace(b"cnumpy._core.", b"cnumpy.core.")
    new = written.replace(b"cnumpy.core.", b"cnumpy._core.")
    assert old != new
    for data in (old, new):
        np.testing.assert_array_equal(load_object_array(data)[0], IMAGE)


@pytest.mark.parametrize("dtype", [">f4", "<f8", ">i2", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_keeps_dtype_and_memory_order(dtype, order):
    image = np.asarray(IMAGE % 2, dtype=dtype, order=order)
    read, _ = load_object_array(pickle.dumps(pair(image)))
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


class Malicious:
    """What a pickle must not do: here, write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_runs_nothing(tmp_path, protocol):
    mark = tmp_path / "ran"
    for content in (Malicious(mark), pair(number=Malicious(mark))):
        data = pickle.dumps(content, protocol)
        with pytest.raises(ValueError, match="pickle"):
            load_object_array(data)
    assert not mark.exists()
    # The negative control: an ordinary unpickler runs it.
    pickle.loads(pickle.dumps(Malicious(mark), protocol))
    assert mark.exists()


@pytest.mark.parametrize("name", ["builtins eval", "builtins getattr", "numpy load", "os system"])
def test_refuses_every_other_name(name):
    module, function = name.split()
    data = f"c{module}\n{function}\n.".encode()
    with pytest.raises(ValueError, match="which no array of numbers needs"):
        load_object_array(data)


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        [1, 2],
        "text",
        np.array([{"a": 1}], dtype=object),
        np.array(["text", "more"], dtype=object),
        pair(number="text"),
        pair(number=None),
        pair(image=np.array(["a", "b"])),
        pair(number=IMAGE),
        np.array([1.0, 2.0], dtype=object),
    ],
    ids=repr,
)
def test_refuses_what_is_no_image_with_numbers(content):
    with pytest.raises(ValueError):
        load_object_array(pickle.dumps(content))


def test_a_changed_flag_of_a_dtype_does_no_harm():
    """NumPy's own `__setstate__` would take the pixels for pointers and crash."""
    data = bytearray(pickle.dumps(pair(), 3))
    flags = [
        position
        for opcode, argument, position in pickletools.genops(bytes(data))
        if opcode.name == "BININT1" and argument == 0
    ]
    data[flags[-1] + 1] = 63
    image, _ = load_object_array(bytes(data))
    np.testing.assert_array_equal(image, IMAGE)


def test_a_large_memo_is_refused_before_memory_is_taken():
    data = b"\x80\x03K\x01r\xff\xff\xff\x7f."
    with pytest.raises(ValueError, match="damaged"):
        load_object_array(data)


def test_no_change_of_bytes_does_more_than_raise():
    """Every byte of the opcodes changed in turn, and pieces cut off: an array, or ValueError."""
    small = pickle.dumps(pair(np.arange(6.0).reshape(2, 3)), 3)
    outcomes = {"read": 0, "refused": 0}
    for position in range(len(small)):
        for value in (0, 0x62, 0x72, 0xFF, small[position] ^ 1):
            data = bytearray(small)
            data[position] = value
            for candidate in (bytes(data), bytes(data[:position])):
                try:
                    load_object_array(candidate)
                    outcomes["read"] += 1
                except ValueError:
                    outcomes["refused"] += 1
    assert min(outcomes.values()) > 0


def test_reads_what_numpy_saves(tmp_path):
    file = io.BytesIO()
    np.lib.format.write_array(file, pair(), version=(1, 0), allow_pickle=True)
    header = 10 + int.from_bytes(file.getvalue()[8:10], "little")
    image, extras = load_object_array(file.getvalue()[header:])
    assert image.shape == IMAGE.shape and extras == (2.5e-23,)
