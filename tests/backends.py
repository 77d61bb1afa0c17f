"""Which tests run with one of Keras's backends alone, and why."""

from __future__ import annotations

import keras
import pytest

__all__ = ["by_the_tape", "on_tensorflow", "only_on_tensorflow"]


def only_on_tensorflow(reason: str) -> pytest.MarkDecorator:
    """Skips a test on other backends, for a reason that is shown."""
    return pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason=reason)


on_tensorflow = only_on_tensorflow(
    "other backends compile every operation for every shape first, for minutes; "
    "tests/models/test_on_jax.py builds and calls each network there too"
)
by_the_tape = only_on_tensorflow(
    "takes gradients by TensorFlow's tape; the answers are tested on every backend"
)
