"""The PyTorch side of benchmarks/gpu.py: timm, escnn, and lensnet's networks under PyTorch.

A process that answers requests (`gpu_serving`). Training in bfloat16 is autocast, with weights in
float32, as lensnet's; float32 products may be rounded to TF32, as JAX's are on such cards.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import types
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import torch
from gpu_serving import Made, serve
from reporting import environment

# Neither's compiled parts fit every PyTorch and NumPy, and nothing that is measured uses them:
# torchvision's operators, and the bases of continuous groups that escnn asks lie_learn for.
_UNUSED = "lie_learn.representations.SO3.wigner_d"
for _name in ("lie_learn", "lie_learn.representations", "lie_learn.representations.SO3", _UNUSED):
    sys.modules[_name] = types.ModuleType(_name)
sys.modules[_UNUSED].__dict__["wigner_D_matrix"] = None
with contextlib.suppress(ImportError, RuntimeError):
    pass
if "torchvision" not in sys.modules:
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("unused")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def runner(step: Callable[[], Any]) -> Callable[[int], None]:
    """Runs a step so many times and waits for the device."""

    def run(calls: int) -> None:
        for _ in range(calls):
            step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return run


def made(step: Callable[[], Any], batch: int | None = None) -> Made:
    """A step, run once; and what it takes of the device's memory beyond what is there before."""
    run = runner(step)
    # The first call compiles, and makes the optimizer's slots.
    run(1)
    if DEVICE != "cuda" or batch is None:
        return run, {}
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(1)
    taken = torch.cuda.max_memory_allocated() - before
    return run, {"mib_an_image": round(taken / batch / 2**20, 3)}


def autocast(request: dict[str, Any]) -> Any:
    """The context of a training step."""
    return torch.autocast(DEVICE, torch.bfloat16, enabled=request["precision"] == "bfloat16")


def make_timm(request: dict[str, Any]) -> Made:
    """timm's network, compiled by PyTorch if the request says so."""
    import timm

    training = request["what"] == "training"
    model = timm.create_model(request["name"], num_classes=5).train(training)
    model = model.to(DEVICE, memory_format=torch.channels_last)
    shape = (request["batch"], 3, request["size"], request["size"])
    images = torch.randn(shape, device=DEVICE).to(memory_format=torch.channels_last)
    if not training:
        dtype = DTYPES[request["precision"]]
        model, images = model.to(dtype), images.to(dtype)
    model.requires_grad_(training)
    # Its variables go to the optimizer before compilation wraps the network.
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=DEVICE == "cuda")
    called: Any = torch.compile(model) if request["compiled"] else model

    def forward(images: torch.Tensor) -> torch.Tensor:
        with autocast(request):
            return called(images)

    if training:
        return made(training_step(forward, optimizer, images), request["batch"])
    return made(without_gradients(called, images), request["batch"])


def make_network(request: dict[str, Any]) -> Made:
    """lensnet's network under PyTorch, not compiled."""
    import keras

    import lensnet

    training, size = request["what"] == "training", request["size"]
    half = "mixed_bfloat16" if training else "bfloat16"
    keras.config.set_dtype_policy(half if request["precision"] == "bfloat16" else "float32")
    model = lensnet.models.create(
        request["name"],
        input_shape=(size, size, 3),
        num_outputs=5,
        symmetry=request["symmetry"],
    )
    images = torch.randn((request["batch"], size, size, 3), device=DEVICE)
    if not training:
        folded = lensnet.layers.fold(model)
        return made(
            without_gradients(lambda images: folded(images, training=False), images),
            request["batch"],
        )
    parameters = [variable.value for variable in model.trainable_variables]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=DEVICE == "cuda")
    step = training_step(lambda images: model(images, training=True), optimizer, images)
    return made(step, request["batch"])


def training_step(
    forward: Callable[[torch.Tensor], torch.Tensor], optimizer: Any, images: torch.Tensor
) -> Callable[[], None]:
    """Forward, backward, AdamW."""
    labels = torch.randint(0, 5, (len(images),), device=DEVICE)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(forward(images).float(), labels).backward()
        optimizer.step()

    return step


def without_gradients(
    forward: Callable[[torch.Tensor], Any], images: torch.Tensor
) -> Callable[[], Any]:
    """The forward pass."""

    def call() -> Any:
        with torch.no_grad():
            return forward(images)

    return call


def make_layer(request: dict[str, Any]) -> Made:
    """escnn's layer, or PyTorch's plain convolution, forward and backward or forward alone."""
    channels, side = request["channels"], request["kernel_size"]
    training = request["what"] == "training"
    shape = (request["batch"], channels, request["size"], request["size"])
    dtype = DTYPES[request["precision"]]
    images = torch.randn(shape, device=DEVICE, dtype=dtype, requires_grad=training)
    upstream = torch.randn(shape, device=DEVICE, dtype=dtype)
    if request["symmetry"] == "none":
        layer: Any = torch.nn.Conv2d(channels, channels, side, padding=side // 2)
        wrap: Callable[[torch.Tensor], Any] = lambda images: images  # noqa: E731
    else:
        from escnn import gspaces, nn

        rotations = int(request["symmetry"][1:])
        kinds = {"c": gspaces.rot2dOnR2, "d": gspaces.flipRot2dOnR2}
        space = kinds[request["symmetry"][0]](rotations)
        fields = channels // space.fibergroup.order()
        kind = nn.FieldType(space, fields * [space.regular_repr])
        layer = nn.R2Conv(kind, kind, side, padding=side // 2)
        wrap = lambda images: nn.GeometricTensor(images, kind)  # noqa: E731
    layer = layer.to(DEVICE).train(training)
    if not training:
        convert(layer, dtype)

    def step() -> None:
        layer.zero_grad()
        images.grad = None
        with autocast(request):
            outputs = layer(wrap(images))
        tensor = outputs if isinstance(outputs, torch.Tensor) else outputs.tensor
        tensor.backward(upstream.to(tensor.dtype))

    return made(step if training else without_gradients(lambda x: layer(wrap(x)), images))


def convert(layer: torch.nn.Module, dtype: torch.dtype) -> None:
    """Converts what a layer computes with out of training.

    escnn's layers share their bases with those that are made later, so that these must stay as they
    are; what it computes with is the expanded filter.
    """
    if isinstance(layer, torch.nn.Conv2d):
        layer.to(dtype)
        return
    for name in ("filter", "expanded_bias"):
        setattr(layer, name, getattr(layer, name).detach().to(dtype))


def describe() -> dict[str, Any]:
    """Versions and device."""
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    return {
        **environment(("torch", "timm", "escnn", "keras", "numpy")),
        "device": name,
        "cuda": torch.version.cuda,
    }


def forget() -> None:
    """Lets go of models and of what was compiled."""
    torch.compiler.reset()
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    serve({"timm": make_timm, "network": make_network, "layer": make_layer}, describe, forget)
