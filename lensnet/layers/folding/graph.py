"""Folding: an equal model of stock Keras layers alone, for inference.

A group convolution becomes the plain convolution with its expanded kernel; a normalisation merges
into the convolution before it; fields become ordinary channels. What is left needs no lensnet to
be loaded, and costs what a plain network of as many channels costs.

Here is the walk through the graph, and what it knows of each tensor. What each layer becomes is
said in `lensnet.layers.folding.stock_rules`.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.folding.arrays import stock_kind
from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.folding.stock_rules import HANDING_ON, MERGING, STOCK_FORMS
from lensnet.layers.parameter_names import without_dots
from lensnet.layers.spatial.group_averaged import GroupAveraged

__all__ = ["Folding", "fold"]


def fold(model: keras.Model) -> keras.Model:
    """Returns an equal model made of stock Keras layers alone, for inference.

    Equal means to rounding: outputs differ by less than 1e-5 of their largest value in float32.
    The weights are copies; the model given is not changed. Layers that act in training alone, such
    as dropout, are left out, and normalisations keep the statistics they have.

    A normalisation or a scale merges into what is linear before it, if nothing else sees that: a
    convolution (all of its parts, where it is computed in several) or a dense layer; of a
    rotational convolution, if no scale is negative. A reordering of channels moves on to the next
    convolution, through whatever treats channels alike.

    Args:
        model: a functional or sequential model, built, of our layers and stock ones, or a
            `GroupAveraged` of such a model. Models within it stay models, folded.

    Returns:
        a functional `keras.Model` with the same inputs, outputs and name, not compiled. Its layers
        have their names with "_" for each dot, which PyTorch does not take in names.

    Raises:
        ValueError: a layer of the model is neither stock nor one of ours, or it is called with
            `training=True`; it is named.

    Example:

    >>> from lensnet.models import create
    >>> model = create("resnet18", input_shape=(64, 64, 1), num_outputs=2, symmetry="c4")
    >>> {type(layer).__module__.split(".")[0] for layer in fold(model).layers}
    {'keras'}
    """
    if isinstance(model, GroupAveraged) and model.built:
        # With the inner model's input, or one that is made for its shape.
        shape = model.get_build_config()["input_shape"]
        given = getattr(model.model, "inputs", None) or [keras.Input(batch_shape=shape)]
        image = keras.Input(batch_shape=shape, dtype=given[0].dtype, name=given[0].name)
        inputs, outputs = image, model(image)
    elif isinstance(model, keras.Sequential) and model.built:
        inputs, outputs = model.inputs[0], model.outputs[0]
    elif hasattr(model, "operations") and not isinstance(model, keras.Sequential):
        inputs, outputs = model.input, model.output
    else:
        raise ValueError(
            f"Only functional and sequential models that are built can be folded; got {model!r}."
        )
    # A model of no class but Keras's own, and not compiled, as the folded one will be.
    return Folding(keras.Model(inputs, outputs, name=model.name)).run()


class Folding:
    """One folding: what is known of the graph while it is copied, layer by layer.

    A tensor's channels may stand in another order than in the tensor that was computed: then the
    tensor is a `keras.ops.take` of the one computed, which is only kept where a layer asks for the
    tensor itself. Layers that can do with any order ask for the `source` and its permutation.

    Args:
        model: a functional model.

    Raises:
        ValueError: a layer of it has no stock form.
    """

    def __init__(self, model: keras.Model):
        for layer in model.operations:
            _check_has_form(layer)
            _reserve(without_dots(layer.name))
        self._model = model
        self._layers = {layer.name: layer for layer in model.operations}
        self._names = set(map(without_dots, self._layers))
        self._users = _users(model)
        self._made: dict[str, list[keras.Operation]] = {}
        self._models: dict[int, keras.Model] = {}
        self._shared: set[int] = set()
        # By the identity of a tensor, which is kept with what is known of it.
        self._linear: dict[int, tuple[Any, LinearParts]] = {}
        self._permuted: dict[int, tuple[Any, Any, np.ndarray]] = {}

    def run(self) -> keras.Model:
        """Returns the folded model."""

        def apply(layer: Any, *arguments: Any, **keywords: Any) -> Any:
            return self.apply(layer, *arguments, **keywords)

        return keras.models.clone_model(
            self._model, clone_function=lambda layer: layer, call_function=apply
        )

    def apply(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        """Applies the stock form of a layer, or of an operation such as `keras.ops.add`."""
        _check_has_form(layer)
        is_stock = _is_stock(layer)
        given = [
            name for name, value in keywords.items() if value is not None and value is not False
        ]
        if not is_stock and "training" in given:
            raise ValueError(
                f'The layer "{layer.name}" is called with training=True; a folded model is for '
                "inference."
            )
        form = STOCK_FORMS.get(type(layer))
        if form is not None and not (is_stock and given):
            outputs = form(self, layer, *arguments)
        elif isinstance(layer, keras.Model):
            outputs = self.model(layer)(*arguments, **keywords)
        else:
            outputs = self.copy(layer, *arguments, **keywords)[1]
        if len(self._users.get(layer.name, [])) != 1:
            self._linear.pop(id(outputs), None)
        return outputs

    def model(self, model: keras.Model) -> keras.Model:
        """The folded form of a model within this one, made once."""
        if id(model) not in self._models:
            self._models[id(model)] = fold(model)
        return self._models[id(model)]

    def copy(self, layer: Any, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        """Applies a copy of a stock layer or operation, and returns the copy and its outputs."""
        copied = stock_kind(layer).from_config(layer.get_config())
        copied.name = layer.name  # which the configuration of an operation does not hold
        weights = layer.get_weights() if isinstance(layer, keras.Layer) else []
        return self.put(copied, *arguments, weights=weights, **keywords)

    def put(
        self, stock: Any, *arguments: Any, weights: list[np.ndarray] | None = None, **keywords: Any
    ) -> tuple[Any, Any]:
        """Applies a new stock layer, or the equal one of that name where there is one.

        Args:
            stock: a layer or operation that has not been applied yet.
            *arguments, **keywords: of its call.
            weights: what to set its weights to.

        Returns:
            the layer applied and its outputs.
        """
        weights = weights or []
        stock.name = without_dots(stock.name)
        same_name = self._made.setdefault(stock.name, [])
        for made in same_name:
            if _is_equal(made, stock, weights):
                self._shared.add(id(made))
                return made, made(*arguments, **keywords)
        if same_name:
            free = (f"{stock.name}_{number}" for number in itertools.count(1))
            stock.name = next(n for n in free if n not in self._made and n not in self._names)
            self._made[stock.name] = [stock]
        outputs = stock(*arguments, **keywords)
        if weights:
            stock.set_weights(weights)
        same_name.append(stock)
        return stock, outputs

    # --- linear layers, which take a scale and an offset in ---------------------------------------

    def may_merge(self, layer: Any) -> bool:
        """Whether what follows a layer may ask to merge into it: only then it needs a bias."""
        users = self._users.get(layer.name, [])
        if len(users) != 1:
            return False
        user = self._layers.get(users[0])
        return isinstance(user, MERGING) or (isinstance(user, HANDING_ON) and self.may_merge(user))

    def leave_open(self, outputs: Any, parts: LinearParts) -> None:
        """Says which layers made a tensor. Forgotten, if more than one layer sees the tensor."""
        self._linear[id(outputs)] = (outputs, parts)

    def linear_parts(self, inputs: Any) -> LinearParts | None:
        """The layers that made a tensor, if a scale and an offset can merge into them."""
        _, parts = self._linear.get(id(inputs), (None, None))
        if parts is None or any(id(part.layer) in self._shared for part in parts.parts):
            return None
        return parts

    def hand_on(self, inputs: Any, outputs: Any) -> Any:
        """Says that scaling one tensor scales another, channel by channel, offsets too."""
        parts = self.linear_parts(inputs)
        if parts is not None:
            self.leave_open(outputs, parts)
        return outputs

    def merge(self, layer: Any, inputs: Any, scale: np.ndarray, offset: np.ndarray) -> bool:
        """Makes the input of a layer `scale * input + offset`, as the layer would.

        Returns:
            whether the layers before could.
        """
        parts = self.linear_parts(inputs) if inputs.dtype == layer.compute_dtype else None
        return parts is not None and parts.transform(scale, offset)

    # --- the order of channels --------------------------------------------------------------------

    def source(self, inputs: Any) -> tuple[Any, np.ndarray | None]:
        """The tensor that was computed, and which of its channels each channel is.

        Returns:
            (tensor, permutation), such that channel c of `inputs` is channel `permutation[c]` of
            the tensor; None for the order as it is.
        """
        _, source, permutation = self._permuted.get(id(inputs), (None, inputs, None))
        return source, permutation

    def permute(self, inputs: Any, permutation: np.ndarray | None) -> Any:
        """The tensor whose channel c is channel `permutation[c]` of another."""
        if permutation is None or np.array_equal(permutation, np.arange(len(permutation))):
            return inputs
        parts = self.linear_parts(inputs)
        if parts is not None and parts.reorder(permutation):
            return inputs
        source, before = self.source(inputs)
        from_source = permutation if before is None else before[permutation]
        outputs = ops.take(source, from_source.tolist(), axis=-1)
        self._permuted[id(outputs)] = (outputs, source, from_source)
        if parts is not None:
            self.leave_open(outputs, parts.permuted(permutation))
        return outputs

    def put_by_channel(self, stock: Any, inputs: Any, **options: Any) -> Any:
        """Applies a new stock layer that treats all channels alike; see `put` for the options."""
        source, permutation = self.source(inputs)
        return self.permute(self.put(stock, source, **options)[1], permutation)


def _is_stock(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras.")


def _check_has_form(layer: Any) -> None:
    if isinstance(layer, keras.Sequential) or hasattr(layer, "operations"):
        return  # a model within this one is looked at when it is folded
    if type(layer) not in STOCK_FORMS and not _is_stock(layer):
        raise ValueError(
            f'The layer "{layer.name}" ({type(layer).__name__}) has no form of stock Keras '
            "layers that is known here, so the model cannot be folded."
        )
    foreign = next(_foreign(layer.get_config()), None) if _is_stock(layer) else None
    if foreign is not None:
        raise ValueError(
            f'The layer "{layer.name}" holds a {foreign}, which is no part of Keras, so the model '
            "cannot be folded."
        )


def _reserve(name: str) -> None:
    """Keeps Keras from giving the name of a layer to an operation that a form applies.

    Keras counts the names that it gives, but not those that it reads from a file.
    """
    prefix, _, number = name.rpartition("_")
    if name in _OPERATIONS:
        prefix, number = name, "0"
    if prefix in _OPERATIONS and number.isdigit():
        while keras.backend.get_uid(prefix) <= int(number):
            pass


_OPERATIONS = (
    *("add", "affine_transform", "cast", "concatenate", "flip", "get_item", "multiply", "split"),
    *("take", "transpose", "zeros_like"),
)
"""The names, without their numbers, of the operations that forms apply."""


def _is_equal(made: Any, stock: Any, weights: list[np.ndarray]) -> bool:
    """Whether a layer that was made is the one asked for, but for its name."""
    if type(made) is not type(stock):
        return False
    if {**made.get_config(), "name": ""} != {**stock.get_config(), "name": ""}:
        return False
    theirs = made.get_weights() if isinstance(made, keras.Layer) else []
    return len(theirs) == len(weights) and all(map(np.array_equal, theirs, weights))


def _foreign(config: Any) -> Iterator[str]:
    """The names of the serialised objects in a layer's configuration that are not Keras's."""
    if isinstance(config, dict):
        module = config.get("module")
        if "class_name" in config and isinstance(module, str):
            if module.split(".")[0] not in ("keras", "builtins"):
                yield str(config["class_name"])
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for value in config:
            yield from _foreign(value)


def _users(model: keras.Model) -> dict[str, list[str]]:
    """The names of the layers that use each layer's output, by its name, once for every use.

    The user of a model's output has the name "".
    """
    config = model.get_config()
    users: defaultdict[str, list[str]] = defaultdict(list)
    for layer in config["layers"]:
        for source in _sources(layer["inbound_nodes"]):
            users[source].append(layer["name"])
    for source, _, _ in _histories(config["output_layers"]):
        users[source].append("")
    return users


def _sources(nodes: Any) -> Iterator[str]:
    """The names of the layers whose outputs stand in a layer's serialised inbound nodes."""
    if isinstance(nodes, dict):
        if nodes.get("class_name") == "__keras_tensor__":
            yield nodes["config"]["keras_history"][0]
        else:
            for value in nodes.values():
                yield from _sources(value)
    elif isinstance(nodes, (list, tuple)):
        for value in nodes:
            yield from _sources(value)


def _histories(outputs: Any) -> Iterator[tuple[str, int, int]]:
    """The (layer, node, tensor) triples of a model's serialised outputs, whatever their nesting."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if outputs and isinstance(outputs[0], str):
        yield tuple(outputs)
    else:
        for value in outputs:
            yield from _histories(value)
