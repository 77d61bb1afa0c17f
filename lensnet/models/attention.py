"""Where a vision transformer looks: maps of its attention."""

from __future__ import annotations

import keras
from keras import ops

from lensnet.errors import ConfigurationError
from lensnet.models.stages import stage_outputs

__all__ = ["attention_maps"]

_WEIGHTS = ".attn.softmax"
_CLASS_TOKEN = "cls_token"


def attention_maps(model: keras.Model) -> keras.Model:
    """Makes the model that gives the maps of attention of a vision transformer.

    A map says which share of the attention each patch gets: that of the class token, or, in a
    network without one, of all patches on average. What goes to class token and registers is
    missing from the sum of 1. The maps of a symmetric network turn with the image.

    Args:
        model: of the family `vit`, made by `lensnet.models.create` or loaded from its file; not
            folded.

    Returns:
        a model from images to a dictionary of tensors (batch, height, width, heads), by the blocks'
        names, such as `"blocks.11"`; a pixel is a patch.

    Raises:
        ConfigurationError: the model has no such attention.

    Example:

    >>> from lensnet.models import create
    >>> model = create("vit_lens", input_shape=(48, 48, 1), num_outputs=2, symmetry="c4", depth=4)
    >>> tuple(attention_maps(model).output["blocks.3"].shape)
    (None, 6, 6, 3)
    """
    layers = [layer for layer in model.layers if layer.name.endswith(_WEIGHTS)]
    if not layers:
        raise ConfigurationError(
            f'"{model.name}" has no attention between patches. Vision transformers have it: '
            "lensnet models 'vit*' (as they are made, not folded)."
        )
    height, width = next(iter(stage_outputs(model).values())).shape[1:3]
    has_class_token = any(layer.name == _CLASS_TOKEN for layer in model.layers)
    maps = {}
    for layer in layers:
        weights = layer.output
        heads, tokens = weights.shape[1:3]
        first = tokens - height * width
        queries = weights[:, :, :1] if has_class_token else weights[:, :, first:]
        shares = ops.mean(queries[..., first:], axis=2)
        shares = ops.reshape(shares, (-1, heads, height, width))
        maps[layer.name.removesuffix(_WEIGHTS)] = ops.transpose(shares, (0, 2, 3, 1))
    return keras.Model(model.input, maps, name=model.name)
