"""Layers that keep the symmetry of an image, for every Keras backend."""

from lensnet.layers.activation import Activation
from lensnet.layers.batch_normalization import BatchNormalization
from lensnet.layers.circular_mask import CircularMask
from lensnet.layers.depthwise_conv2d import DepthwiseConv2D
from lensnet.layers.drop_path import DropPath
from lensnet.layers.field_channel_gate import FieldChannelGate
from lensnet.layers.field_drop_block import FieldDropBlock
from lensnet.layers.field_dropout import FieldDropout
from lensnet.layers.field_gate import FieldGate
from lensnet.layers.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.field_normalization import FieldNormalization
from lensnet.layers.field_scale import FieldScale
from lensnet.layers.folding import fold
from lensnet.layers.group_averaged import GroupAveraged
from lensnet.layers.group_conv2d import GroupConv2D
from lensnet.layers.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.group_pool import GroupPool
from lensnet.layers.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.group_separable_conv2d import GroupSeparableConv2D
from lensnet.layers.grouped_conv2d import GroupedConv2D
from lensnet.layers.parameter_names import allow_dots_in_names
from lensnet.layers.rotational_conv2d import RotationalConv2D
from lensnet.layers.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.layers.subgroup_restriction import SubgroupRestriction
from lensnet.layers.symmetric_downsample2d import SymmetricDownsample2D

allow_dots_in_names()

__all__ = [
    "Activation",
    "BatchNormalization",
    "CircularMask",
    "DepthwiseConv2D",
    "DropPath",
    "FieldChannelGate",
    "FieldDropBlock",
    "FieldDropout",
    "FieldGate",
    "FieldLayerNormalization",
    "FieldNormalization",
    "FieldScale",
    "GroupAveraged",
    "GroupConv2D",
    "GroupDepthwiseConv2D",
    "GroupPool",
    "GroupRectangularConv2D",
    "GroupSeparableConv2D",
    "GroupedConv2D",
    "RotationalConv2D",
    "RotationalDepthwiseConv2D",
    "RotationalRectangularConv2D",
    "SubgroupRestriction",
    "SymmetricDownsample2D",
    "fold",
]
