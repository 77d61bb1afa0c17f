"""The graph of a model while it is folded: the walk, and what is known of each tensor.

A layer says by itself what it becomes, by a method `fold(graph, inputs)` beside its `call`, which
applies stock layers to the input and returns the output. For Keras's own layers, which have none,
a table holds one rule each (`lensnet.layers.folding.stock_rules`). No layer is named here.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.parameter_names import without_dots

__all__ = ["FoldedGraph", "Rule", "fold_model", "stock_class"]


@dataclass(frozen=True)
class Rule:
    """How a layer of Keras folds. A layer of ours says the same by itself.

    Args:
        apply: takes the graph, the layer and its inputs, and returns the outputs. The method
            `fold` of a layer of ours.
        absorbed: whether linear layers before may absorb the layer, so that they need a bias. The
            class attribute `fold_absorbed` of a layer of ours.
        transparent: whether a layer that follows may be absorbed through this one by what is
            before it. The class attribute `fold_transparent` of a layer of ours.
    """

    apply: Callable[..., Any]
    absorbed: bool = False
    transparent: bool = False


def fold_model(model: keras.Model, rules: Mapping[type, Rule]) -> keras.Model:
    """Folds a model; see `lensnet.layers.fold`.

    Args:
        model: functional or sequential, or one that has a method `fold`; built.
        rules: of Keras's own layers. Those that have none are copied as they are.

    Raises:
        ValueError: the model is not built, or of another kind, or holds what cannot be folded.
    """
    if isinstance(model, keras.Model) and model.built and _folds_itself(model):
        image = _symbolic_input(model)
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
    return FoldedGraph(keras.Model(inputs, outputs, name=model.name), rules).run()


class FoldedGraph:
    """What is known of a model's graph while it is copied, layer by layer.

    A tensor's channels may stand in another order than in the tensor that was computed: then the
    tensor is a `keras.ops.take` of the one computed, which is only kept where a layer asks for the
    tensor itself. Layers that can do with any order ask for the `source` and its permutation.

    Args:
        model: a functional model.
        rules: of Keras's own layers.

    Raises:
        ValueError: a layer of it cannot be folded.
    """

    def __init__(self, model: keras.Model, rules: Mapping[type, Rule]):
        for layer in model.operations:
            _check_foldable(layer)
            _reserve(without_dots(layer.name))
        self._model = model
        self._rules = rules
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
        """Applies what a layer becomes, or an operation such as `keras.ops.add`."""
        _check_foldable(layer)
        given = {
            name: value
            for name, value in keywords.items()
            if value is not None and value is not False
        }
        if stock_class(layer) is None and "training" in given:
            raise ValueError(
                f'The layer "{layer.name}" is called with training=True; a folded model is for '
                "inference."
            )
        rule = self._rule(layer)
        if _folds_itself(layer):
            given.pop("mask", None)  # of no account at inference, for what takes one
            outputs = layer.fold(self, *arguments, **given)
        elif rule is not None and not given:
            outputs = rule.apply(self, layer, *arguments)
        elif isinstance(layer, keras.Model):
            outputs = self.fold_model(layer)(*arguments, **keywords)
        else:
            outputs = self.copy(layer, *arguments, **keywords)[1]
        if len(self._users.get(layer.name, [])) != 1:
            self._linear.pop(id(outputs), None)
        return outputs

    def _rule(self, layer: Any) -> Rule | None:
        if _folds_itself(layer):
            return Rule(
                layer.fold,
                getattr(layer, "fold_absorbed", False),
                getattr(layer, "fold_transparent", False),
            )
        return self._rules.get(stock_class(layer) or type(layer))

    def fold_model(self, model: keras.Model) -> keras.Model:
        """A model within this one, folded once."""
        if id(model) not in self._models:
            self._models[id(model)] = fold_model(model, self._rules)
        return self._models[id(model)]

    def copy(self, layer: Any, *arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        """Applies a copy of a stock layer or operation, and returns the copy and its outputs."""
        copied = (stock_class(layer) or type(layer)).from_config(layer.get_config())
        copied.name = layer.name  # which the configuration of an operation does not hold
        weights = layer.get_weights() if isinstance(layer, keras.Layer) else []
        return self.add_layer(copied, *arguments, weights=weights, **keywords)

    def add_layer(
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

    def may_absorb(self, layer: Any) -> bool:
        """Whether what follows a layer may ask to be absorbed: only then it needs a bias."""
        users = self._users.get(layer.name, [])
        if len(users) != 1:
            return False
        user = self._layers.get(users[0])
        rule = None if user is None else self._rule(user)
        return rule is not None and (rule.absorbed or (rule.transparent and self.may_absorb(user)))

    def mark_fusable(self, outputs: Any, parts: LinearParts) -> None:
        """Says which layers made a tensor. Forgotten, if more than one layer sees the tensor."""
        self._linear[id(outputs)] = (outputs, parts)

    def linear_parts(self, inputs: Any) -> LinearParts | None:
        """The layers that made a tensor, if a scale and an offset can be absorbed by them."""
        _, parts = self._linear.get(id(inputs), (None, None))
        if parts is None or any(id(part.layer) in self._shared for part in parts.parts):
            return None
        return parts

    def propagate_fusable(self, inputs: Any, outputs: Any) -> Any:
        """Says that scaling one tensor scales another, channel by channel, offsets too.

        Returns:
            the other tensor.
        """
        parts = self.linear_parts(inputs)
        if parts is not None:
            self.mark_fusable(outputs, parts)
        return outputs

    def absorb(self, layer: Any, inputs: Any, scale: np.ndarray, offset: np.ndarray) -> bool:
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
            self.mark_fusable(outputs, parts.permuted(permutation))
        return outputs

    def leave_out(self, layer: keras.Layer, inputs: Any) -> Any:
        """The input of a layer that acts in training alone, or not at all."""
        if inputs.dtype == layer.compute_dtype:
            return inputs
        identity = keras.layers.Identity(dtype=layer.dtype_policy, name=layer.name)
        return self.add_channelwise(identity, inputs)

    def add_channelwise(self, stock: Any, inputs: Any, **options: Any) -> Any:
        """Applies a new stock layer that treats all channels alike; see `add_layer`."""
        source, permutation = self.source(inputs)
        return self.permute(self.add_layer(stock, source, **options)[1], permutation)


def stock_class(layer: Any) -> Any:
    """The class of Keras whose arguments, weights and answers a layer or operation has, or None.

    Its own; or the attribute `stock_class` of a class that only computes faster. A subclass of
    that may do anything, and has to say it again.
    """
    cls = type(layer)
    return cls if cls.__module__.startswith("keras.") else vars(cls).get("stock_class")


def _folds_itself(layer: Any) -> bool:
    """Whether a layer has a method `fold` that stands for the `call` it has."""
    return stock_class(layer) is None and _level(layer, "fold") <= _level(layer, "call")


def _level(layer: Any, method: str) -> float:
    """How many classes up a layer's method is defined; infinite, where it is not."""
    levels = (i for i, cls in enumerate(type(layer).__mro__) if method in vars(cls))
    return next(levels, float("inf"))


def _symbolic_input(model: keras.Model) -> Any:
    if hasattr(model, "symbolic_input"):
        return model.symbolic_input()
    return keras.Input(batch_shape=model.get_build_config()["input_shape"])


def _check_foldable(layer: Any) -> None:
    if isinstance(layer, keras.Sequential) or hasattr(layer, "operations"):
        return  # a model within this one is looked at when it is folded
    stock = stock_class(layer)
    if stock is None and not _folds_itself(layer):
        lack = (
            "its class overrides call() and inherits fold(graph, inputs), which may be another's"
            if hasattr(layer, "fold")
            else "it is not Keras's own and has no method fold(graph, inputs)"
        )
        raise ValueError(
            f'The layer "{layer.name}" ({type(layer).__name__}) cannot be folded: {lack}.'
        )
    foreign = None if stock is None else next(_foreign(layer.get_config()), None)
    if foreign is not None:
        raise ValueError(
            f'The layer "{layer.name}" holds a {foreign}, which is not a part of Keras, so the '
            "model cannot be folded."
        )


def _reserve(name: str) -> None:
    """Keeps Keras from giving the name of a layer to an operation that folding applies.

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
    *("expand_dims", "ones_like", "reshape", "take", "transpose", "zeros_like"),
)
"""The names, without their numbers, of the operations that folding applies."""


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
