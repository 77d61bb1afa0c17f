"""Layers that keep the symmetry of an image, for every Keras backend."""

from lensnet.layers.accelerated.accelerate import accelerate
from lensnet.layers.accelerated.activation import Activation
from lensnet.layers.accelerated.batch_normalization import BatchNormalization
from lensnet.layers.accelerated.depthwise_conv2d import DepthwiseConv2D
from lensnet.layers.accelerated.grouped_conv2d import GroupedConv2D
from lensnet.layers.convolution.group_conv2d import GroupConv2D
from lensnet.layers.convolution.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.convolution.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.convolution.group_separable_conv2d import GroupSeparableConv2D
from lensnet.layers.convolution.rotational_conv2d import RotationalConv2D
from lensnet.layers.convolution.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.convolution.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.layers.fields.field_basis import FieldBasis, IrrepActivation
from lensnet.layers.fields.field_channel_attention import (
    FieldChannelAttention,
    FieldChannelGate,
)
from lensnet.layers.fields.field_dense import FieldDense
from lensnet.layers.fields.field_drop_block import FieldDropBlock
from lensnet.layers.fields.field_dropout import FieldDropout
from lensnet.layers.fields.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.fields.field_normalization import FieldNormalization
from lensnet.layers.fields.field_scale import FieldScale
from lensnet.layers.fields.field_squeeze_excite import FieldGate, FieldSqueezeExcite
from lensnet.layers.fields.group_pool import GroupPool
from lensnet.layers.fields.subgroup_restriction import SubgroupRestriction
from lensnet.layers.folding.fold import fold
from lensnet.layers.parameter_names import allow_dots_in_names
from lensnet.layers.spatial.circular_mask import CircularMask
from lensnet.layers.spatial.drop_path import DropPath
from lensnet.layers.spatial.group_averaged import GroupAveraged
from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.layers.tokens.field_position_bias import FieldPositionBias
from lensnet.layers.tokens.field_position_embedding import FieldPositionEmbedding
from lensnet.layers.tokens.field_tokens import FieldTokens

allow_dots_in_names()

__all__ = [
    "Activation",
    "BatchNormalization",
    "CircularMask",
    "DepthwiseConv2D",
    "DropPath",
    "FieldBasis",
    "FieldChannelAttention",
    "FieldChannelGate",
    "FieldDense",
    "FieldDropBlock",
    "FieldDropout",
    "FieldGate",
    "FieldSqueezeExcite",
    "FieldLayerNormalization",
    "FieldNormalization",
    "FieldPositionBias",
    "FieldPositionEmbedding",
    "FieldScale",
    "FieldTokens",
    "GroupAveraged",
    "GroupConv2D",
    "GroupDepthwiseConv2D",
    "GroupPool",
    "GroupRectangularConv2D",
    "GroupSeparableConv2D",
    "GroupedConv2D",
    "IrrepActivation",
    "RotationalConv2D",
    "RotationalDepthwiseConv2D",
    "RotationalRectangularConv2D",
    "SubgroupRestriction",
    "SymmetricDownsample2D",
    "accelerate",
    "fold",
]
