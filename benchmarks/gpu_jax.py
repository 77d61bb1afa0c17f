"""The lensnet side of benchmarks/gpu.py: networks, layers and a short training under JAX.

A process that answers requests (`gpu_serving`). Steps are jitted functions of all variables, whose
buffers are donated to the next; what is timed begins after compilation and ends when the device is
ready.
"""

from __future__ import annotations

import gc
import os
import time
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from gpu_serving import Made, serve
from reporting import environment

import lensnet
from lensnet.symmetry import Group

POLICIES = {
    ("training", "float32"): "float32",
    ("training", "bfloat16"): "mixed_bfloat16",
    ("inference", "float32"): "float32",
    ("inference", "bfloat16"): "bfloat16",
}
"""Keras's dtype policy; training keeps its weights in float32."""


def network(request: dict[str, Any]) -> keras.Model:
    """The network of a request."""
    size = request["size"]
    keras.config.set_dtype_policy(POLICIES[request["what"], request["precision"]])
    return lensnet.models.create(
        request["name"],
        input_shape=(size, size, request.get("bands", 3)),
        num_outputs=request.get("outputs", 5),
        symmetry=request["symmetry"],
        width=request.get("width", 1.0),
    )


def make_network(request: dict[str, Any]) -> Made:
    """A training step of a network, or the forward pass of the folded one."""
    model = network(request)
    shape = (request["batch"], request["size"], request["size"], 3)
    random = np.random.default_rng(0)
    images = jnp.asarray(random.standard_normal(shape), "float32")
    if request["what"] == "inference":
        return forward_pass(lensnet.layers.fold(model), images)
    labels = jnp.asarray(random.integers(0, 5, request["batch"]))
    optimizer = keras.optimizers.AdamW(1e-4)
    step = jax.jit(training_step(model, optimizer), donate_argnums=0)
    state = state_of(model, optimizer)
    compiled = step.lower(state, images, labels).compile()
    held = [state]

    def run(calls: int) -> None:
        for _ in range(calls):
            held[0], loss = compiled(held[0], images, labels)
        jax.block_until_ready(loss)

    return run, {"parameters": model.count_params(), **memory(compiled, request["batch"])}


def forward_pass(model: keras.Model, images: jax.Array) -> Made:
    """The forward pass, of variables that are arguments, not constants to be folded."""
    variables = values(model.trainable_variables), values(model.non_trainable_variables)

    def call(variables: Any, images: jax.Array) -> jax.Array:
        return model.stateless_call(*variables, images, training=False)[0]

    compiled = jax.jit(call).lower(variables, images).compile()

    def run(calls: int) -> None:
        jax.block_until_ready([compiled(variables, images) for _ in range(calls)])

    return run, memory(compiled, len(images))


def training_step(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Any:
    """Forward, backward, AdamW: a function of state, images and labels to state and loss."""

    def loss_of(trainable: Any, rest: Any, images: Any, labels: Any) -> Any:
        logits, rest = model.stateless_call(trainable, rest, images, training=True)
        log_probabilities = jax.nn.log_softmax(logits.astype("float32"))
        return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean(), rest

    def step(state: Any, images: Any, labels: Any) -> Any:
        trainable, rest, slots = state
        differentiate = jax.value_and_grad(loss_of, has_aux=True)
        (loss, rest), gradients = differentiate(trainable, rest, images, labels)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, rest, slots), loss

    return step


def state_of(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Any:
    """Copies of the variables, which may be donated."""
    optimizer.build(model.trainable_variables)
    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    return tuple([jnp.copy(value) for value in values(group)] for group in groups)


def values(variables: Any) -> list[Any]:
    return [variable.value for variable in variables]


def memory(compiled: Any, batch: int) -> dict[str, Any]:
    """What a step takes beyond its arguments, by XLA's own account."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return {}
    return {"mib_an_image": round(analysis.temp_size_in_bytes / batch / 2**20, 3)}


def make_layer(request: dict[str, Any]) -> Made:
    """A layer's forward and backward pass, or the forward pass of the folded one."""
    symmetry, channels, side = request["symmetry"], request["channels"], request["kernel_size"]
    keras.config.set_dtype_policy(POLICIES[request["what"], request["precision"]])
    shape = (request["batch"], request["size"], request["size"], channels)
    random = np.random.default_rng(0)
    dtype = request["precision"]
    images, upstream = (jnp.asarray(random.standard_normal(shape), dtype) for _ in range(2))
    if symmetry == "none":
        layer: keras.Layer = keras.layers.Conv2D(channels, side, padding="same")
    else:
        fields = channels // Group.parse(symmetry).order
        layer = lensnet.layers.GroupConv2D(fields, side, symmetry)
    image = keras.Input(shape[1:], dtype=dtype)
    model = keras.Model(image, layer(image))
    if request["what"] == "inference":
        return forward_pass(lensnet.layers.fold(model), images)
    weights, rest = values(model.trainable_variables), values(model.non_trainable_variables)

    @jax.jit
    def step(weights: Any, images: Any, upstream: Any) -> Any:
        def outputs(weights: Any, images: Any) -> Any:
            return model.stateless_call(weights, rest, images, training=True)[0]

        # The outputs too, or the forward pass, which gradients do not need, would be left out.
        found, pull_back = jax.vjp(outputs, weights, images)
        return found, pull_back(upstream.astype(found.dtype))

    compiled = step.lower(weights, images, upstream).compile()

    def run(calls: int) -> None:
        for _ in range(calls):
            found = compiled(weights, images, upstream)
        jax.block_until_ready(found)

    return run, {}


def make_training(request: dict[str, Any]) -> Made:
    """Trains a network on the images of a file; each call of `run` trains on, for an epoch."""
    with np.load(request["file"]) as stored:
        data = {name: jnp.asarray(stored[name]) for name in stored.files}
    for name in ("train_images", "test_images"):
        data[name] = data[name].astype("float32")
    count, batch = len(data["train_images"]), request["batch"]
    epochs, steps = request["epochs"], len(data["train_images"]) // request["batch"]
    keras.utils.set_random_seed(request["seed"])
    size, bands = data["train_images"].shape[2:]
    model = network({**request, "what": "training", "size": size, "bands": bands, "outputs": 3})
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * steps, warmup_target=request["learning_rate"], warmup_steps=2 * steps
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    step = training_step(model, optimizer)

    @jax.jit
    def shuffled_epoch(state: Any, key: Any) -> Any:
        def body(state: Any, seen: Any) -> Any:
            return step(state, data["train_images"][seen], data["train_labels"][seen])

        order = jax.random.permutation(key, count)[: steps * batch].reshape(steps, batch)
        return jax.lax.scan(body, state, order)

    def logits(state: Any, images: Any) -> Any:
        return model.stateless_call(state[0], state[1], images, training=False)[0]

    state = state_of(model, optimizer)
    key = jax.random.key(request["seed"])
    start = time.perf_counter()
    compiled = shuffled_epoch.lower(state, key).compile()
    compiling = time.perf_counter() - start
    start = time.perf_counter()
    losses = []
    for number in range(epochs):
        state, loss = compiled(state, jax.random.fold_in(key, number))
        losses.append(loss.mean())
    jax.block_until_ready(losses)
    seconds = time.perf_counter() - start
    answers = jnp.concatenate(
        [jax.jit(logits)(state, part) for part in jnp.array_split(data["test_images"], 4)]
    )
    return lambda calls: None, {
        "epochs": epochs,
        "images_per_second": round(epochs * steps * batch / seconds, 1),
        "seconds": round(seconds, 2),
        "seconds_to_compile": round(compiling, 1),
        "loss": round(float(losses[-1]), 4),
        "test_accuracy": round(float((answers.argmax(-1) == data["test_labels"]).mean()), 4),
    }


def describe() -> dict[str, Any]:
    """Versions and device."""
    device = jax.devices()[0]
    return {
        **environment(("lensnet", "keras", "jax", "jaxlib", "numpy")),
        "device": f"{device.platform}: {device.device_kind}",
    }


def forget() -> None:
    """Lets go of models and of what was compiled."""
    keras.backend.clear_session()
    jax.clear_caches()
    gc.collect()


if __name__ == "__main__":
    serve(
        {"network": make_network, "layer": make_layer, "training": make_training}, describe, forget
    )
