"""What the layers that have a form for CPUs of their own ask before they choose."""

from __future__ import annotations

import keras

__all__ = ["on_cpus_alone"]


def on_cpus_alone() -> bool:
    """Whether all devices of the backend are CPUs.

    Keras lists none for PyTorch, whose own operations are quick on every device.
    """
    try:
        devices = keras.distribution.list_devices()
    except AttributeError:
        return False
    return all(device.startswith("cpu") for device in devices)
