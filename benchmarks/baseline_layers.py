"""The PyTorch side of benchmarks/layers.py: it answers requests, a JSON line each.

Runs in the environment of `make_baselines.sh`. A request names a case and how many calls to time;
the answer is the seconds a call took. `{"build": case}` makes the layer anew and answers with the
seconds that took.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from escnn import gspaces, nn
from processes import answer_requests
from timing import seconds_a_call

torch.manual_seed(0)


def group_space(name: str) -> Any:
    """The escnn group space of "c4", "d4", "c8" ..."""
    rotations = int(name[1:])
    return gspaces.flipRot2dOnR2(rotations) if name[0] == "d" else gspaces.rot2dOnR2(rotations)


def layer_and_input(case: dict[str, Any]) -> tuple[Any, Any, torch.Tensor]:
    """The layer of a case, its input, and the tensor that gradients are asked for."""
    channels, size, batch = case["channels"], case["size"], case["batch"]
    kernel_size = case["kernel_size"]
    tensor = torch.randn(batch, channels, size, size, requires_grad=True)
    if case["symmetry"] == "none":
        layer: Any = torch.nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)
        return layer, tensor, tensor
    space = group_space(case["symmetry"])
    fields = channels // space.fibergroup.order()
    kind = nn.FieldType(space, fields * [space.regular_repr])
    layer = nn.R2Conv(kind, kind, kernel_size, padding=kernel_size // 2)
    return layer, nn.GeometricTensor(tensor, kind), tensor


def training_step(case: dict[str, Any]) -> Callable[[], None]:
    """Forward and backward, to the input and to the weights."""
    layer, given, tensor = layer_and_input(case)
    layer.train()
    upstream = torch.randn(case["batch"], case["channels"], case["size"], case["size"])

    def step() -> None:
        layer.zero_grad()
        tensor.grad = None
        outputs = layer(given)
        outputs = outputs if isinstance(outputs, torch.Tensor) else outputs.tensor
        outputs.backward(upstream)

    return step


def inference(case: dict[str, Any]) -> Callable[[], None]:
    """Forward alone, with the filter expanded once, as escnn does in evaluation mode."""
    layer, given, _ = layer_and_input(case)
    layer.eval()

    def call() -> None:
        with torch.no_grad():
            layer(given)

    return call


def main() -> None:
    """Answers requests until standard input ends."""
    torch.set_num_threads(2)
    made: dict[str, Callable[[], None]] = {}

    def answer(request: dict[str, Any]) -> dict[str, float]:
        case, what = request["case"], request["what"]
        if what == "build":
            return {"seconds": seconds_a_call(lambda: layer_and_input(case), 1)}
        key = json.dumps([what, case])
        if key not in made:
            made[key] = {"step": training_step, "inference": inference}[what](case)
            made[key]()
        return {"seconds": seconds_a_call(made[key], request["calls"])}

    answer_requests(answer)


if __name__ == "__main__":
    main()
