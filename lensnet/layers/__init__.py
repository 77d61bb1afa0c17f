"""Layers that keep the symmetry of an image, for every Keras backend."""

from lensnet.layers.field_normalization import FieldNormalization
from lensnet.layers.group_conv2d import GroupConv2D
from lensnet.layers.group_pool import GroupPool
from lensnet.layers.rotational_conv2d import RotationalConv2D

__all__ = ["FieldNormalization", "GroupConv2D", "GroupPool", "RotationalConv2D"]
