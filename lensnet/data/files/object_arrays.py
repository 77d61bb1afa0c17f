"""Reading NumPy object arrays, which are pickles, without ever running what they say.

DeepLense stores `[image, mass]` as an object array. Unpickling such a file the usual way runs any
function that it names. Here three walls stand between a file and the interpreter:

1. Every opcode is checked before anything is unpickled: only those that NumPy's own arrays need
   may stand in it, and no number in it may ask for more memory than the file is long.
2. A name in it may only be one by which NumPy's arrays, dtypes and scalars are rebuilt.
3. Even these names do not reach NumPy: they make inert records, out of which arrays are built
   afterwards, each length checked. (NumPy's own `__setstate__` trusts its input; a changed flag
   byte there makes it follow numbers as pointers.)
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["MAX_OBJECTS", "load_object_array"]

MAX_OBJECTS = 4096
"""Objects that a pickle may hold. `[image, mass]` needs about thirty."""

_OPCODES = frozenset(
    "PROTO FRAME STOP MARK GLOBAL STACK_GLOBAL REDUCE BUILD NONE NEWTRUE NEWFALSE "
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 "
    "EMPTY_LIST APPEND APPENDS BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET".split()
)
_NUMBER_KINDS = "biuf"


class _Array:
    """What a pickle says of an array, before any of it is believed."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype:
    """What a pickle says of a dtype."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolve(self) -> np.dtype[Any]:
        """Returns the dtype.

        Raises:
            ValueError: it is not one of plain numbers, or of objects.
        """
        if not isinstance(self.name, str) or len(self.name) > 4:
            raise ValueError("the pickle holds a dtype that is none")
        dtype = np.dtype(self.name)
        if isinstance(self.state, tuple) and self.state[1:2] == (">",):
            dtype = dtype.newbyteorder(">")
        elif isinstance(self.state, tuple) and self.state[1:2] == ("<",):
            dtype = dtype.newbyteorder("<")
        if dtype.kind not in _NUMBER_KINDS + "O":
            raise ValueError("the pickle holds other things than numbers")
        return dtype


class _Name:
    """A callable that stands for one of NumPy's, and cannot be changed by a pickle."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Any):
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("the pickle changes a function")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("the pickle changes a function")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.state = (1, shape, dtype, order == "F", data)
    return array


def _scalar(dtype: Any, data: Any) -> float:
    return float(_numbers(data, dtype, ()))


def _encode(text: Any, encoding: Any) -> bytes:
    """How protocol 2 spells bytes."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError("the pickle encodes text in a way that NumPy does not")
    return text.encode("latin1")


_NAMES = {
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): _scalar,
    ("numeric", "_frombuffer"): _from_buffer,
}
# numpy.core is NumPy 1's name for the module that NumPy 2 calls numpy._core.
_ADMITTED = {
    **{
        (f"numpy.{core}.{module}", name): _Name(function)
        for core in ("core", "_core")
        for (module, name), function in _NAMES.items()
    },
    ("numpy", "dtype"): _Name(_Dtype),
    ("numpy", "ndarray"): _Name(_reconstruct),
    ("_codecs", "encode"): _Name(_encode),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the pickle names {module}.{name}, which no array of numbers needs"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("the pickle refers to something outside itself")


def load_object_array(data: bytes | memoryview) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns the image in a pickled object array, and the numbers that stand beside it.

    Args:
        data: the pickle, as it stands behind the header of an .npy file.

    Returns:
        The array of two dimensions or three, in the dtype it was stored in, and the scalars in
        their order: the axion's mass in eV, in DeepLense's files.

    Raises:
        ValueError: the pickle is not an array of one image and numbers. No part of it was run.

    >>> import pickle
    >>> pair = np.empty(2, dtype=object)
    >>> pair[:] = [np.arange(4.0).reshape(2, 2), 1e-23]
    >>> image, extras = load_object_array(pickle.dumps(pair))
    >>> image.shape, extras
    ((2, 2), (1e-23,))
    """
    data = bytes(data)
    _check_opcodes(data)
    try:
        loaded = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from None
    except (RecursionError, MemoryError):
        raise ValueError("the pickle is damaged") from None
    except Exception as error:
        # A damaged pickle fails in as many ways as there are types; none of them says more.
        raise ValueError("the pickle is damaged") from error
    if not isinstance(loaded, _Array):
        raise ValueError("the pickle holds no array")
    return _image_and_numbers(loaded)


def _check_opcodes(data: bytes) -> None:
    """Goes through a pickle without executing it.

    Raises:
        ValueError: an opcode is not needed for arrays of numbers, or there are too many.
    """
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name not in _OPCODES:
                raise _Refused(f"the pickle does more than hold arrays ({opcode.name})")
            if count > 8 * MAX_OBJECTS:
                raise _Refused("the pickle holds more than one image and numbers")
            # The place of a memo entry sets the size of the unpickler's table.
            if "PUT" in opcode.name and argument is not None and argument > 8 * MAX_OBJECTS:
                raise _Refused("the pickle is damaged")
    except _Refused:
        raise
    except Exception as error:
        raise ValueError("the pickle is damaged") from error


class _Refused(ValueError):
    pass


def _image_and_numbers(outer: _Array) -> tuple[np.ndarray, tuple[float, ...]]:
    _, shape, dtype, _, elements = _state(outer)
    if dtype.kind != "O":  # an array of numbers that was pickled whole
        return _array(outer), ()
    if not isinstance(elements, list) or math.prod(shape) != len(elements):
        raise ValueError("the pickle is damaged")
    images = [element for element in elements if isinstance(element, _Array)]
    numbers = [element for element in elements if not isinstance(element, _Array)]
    if len(images) != 1:
        raise ValueError(f"the object array holds {len(images)} arrays, not one image")
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("the object array holds other things than an image and numbers")
    try:
        extras = tuple(float(number) for number in numbers)
    except OverflowError:
        raise ValueError("the object array holds a number beyond all bounds") from None
    return _array(images[0]), extras


def _state(array: _Array) -> tuple[int, tuple[int, ...], np.dtype[Any], bool, Any]:
    state = array.state
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
        raise ValueError("the pickle is damaged")
    version, shape, dtype, fortran, data = state
    if not isinstance(shape, tuple) or not all(
        type(length) is int and 0 <= length < 2**31 for length in shape
    ):
        raise ValueError("the pickle is damaged")
    try:
        return version, shape, dtype.resolve(), bool(fortran), data
    except TypeError:
        raise ValueError("the pickle holds a dtype that is none") from None


def _array(array: _Array) -> np.ndarray:
    _, shape, dtype, fortran, data = _state(array)
    numbers = _numbers(data, dtype, shape[::-1] if fortran else shape)
    return numbers.T if fortran else numbers


def _numbers(data: Any, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(dtype, _Dtype):
        dtype = dtype.resolve()
    if isinstance(data, str):  # a byte string of Python 2
        data = data.encode("latin1")
    if not isinstance(dtype, np.dtype) or dtype.kind not in _NUMBER_KINDS:
        raise ValueError("the pickle holds an array of other things than numbers")
    if not isinstance(data, (bytes, bytearray)):
        raise ValueError("the pickle is damaged")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("the pickled array is shorter than its shape says")
    return np.frombuffer(data, dtype).reshape(shape)
