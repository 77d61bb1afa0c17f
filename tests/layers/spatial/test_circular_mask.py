import keras
import numpy as np
import pytest
from scipy import ndimage

from lensnet.layers import CircularMask


@pytest.mark.parametrize(("shape", "width"), [((8, 8), 0), ((9, 9), 0), ((8, 8), 2.5), ((6, 9), 1)])
def test_definition(shape, width):
    layer = CircularMask(edge_width_pixels=width)
    mask = keras.ops.convert_to_numpy(layer(np.ones((1, *shape, 2), "float32")))
    radius = min(shape) / 2
    for row, column in np.ndindex(shape):
        r = np.hypot(row - (shape[0] - 1) / 2, column - (shape[1] - 1) / 2)
        if width == 0:
            expected = float(r <= radius)
        elif r <= radius - width:
            expected = 1.0
        else:
            expected = (1 + np.cos(np.pi * min(r - radius + width, width) / width)) / 2
        np.testing.assert_allclose(mask[0, row, column], expected, atol=1e-6)


def test_what_it_keeps_is_kept_at_every_angle():
    """The mask rotated by any angle is the mask, but for pixels of the edge; a square is not."""
    mask = keras.ops.convert_to_numpy(CircularMask(4.0)(np.ones((1, 33, 33, 1), "float32")))
    for angle in (10, 45, 77):
        turned = ndimage.rotate(mask[0, ..., 0], angle, reshape=False, order=1)
        assert np.abs(turned - mask[0, ..., 0]).max() < 0.05
        turned = ndimage.rotate(np.ones((33, 33)), angle, reshape=False, order=1)
        assert np.abs(turned - 1).max() > 0.9


def test_wrong_arguments():
    with pytest.raises(ValueError, match="0 or more"):
        CircularMask(-1)
    with pytest.raises(ValueError, match="must be known"):
        CircularMask().build((None, None, 8, 1))
