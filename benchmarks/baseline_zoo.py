"""The timm side of benchmarks/zoo.py: it answers requests, a JSON line each.

Runs in the environment of `make_baselines.sh`. A request names an architecture, whether to train
or to infer, the size and the batch, and how many calls to time; the answer is the seconds a call
took.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import torch
from processes import answer_requests
from timing import seconds_a_call

# torchvision's compiled operators do not fit this build of PyTorch; the models use none of them.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("unused")

import timm  # noqa: E402


def _network(request: dict[str, Any]) -> torch.nn.Module:
    """The architecture; a transformer for images of the size asked for."""
    is_transformer = request["name"].startswith(("vit_", "deit3_"))
    size = {"img_size": request["size"]} if is_transformer else {}
    return timm.create_model(request["name"], num_classes=5, **size)


def training_step(request: dict[str, Any]) -> Callable[[], None]:
    """Forward, backward and an AdamW step."""
    model = _network(request)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images = torch.randn(request["batch"], 3, request["size"], request["size"])
    images = images.to(memory_format=torch.channels_last)
    labels = torch.zeros(request["batch"], dtype=torch.long)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def inference(request: dict[str, Any]) -> Callable[[], None]:
    """The forward pass in evaluation mode."""
    model = _network(request)
    model = model.to(memory_format=torch.channels_last).eval()
    images = torch.randn(request["batch"], 3, request["size"], request["size"])
    images = images.to(memory_format=torch.channels_last)

    def call() -> None:
        with torch.inference_mode():
            model(images)

    return call


def main() -> None:
    """Answers requests until standard input ends."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    kinds = {"training": training_step, "inference": inference}
    made: dict[tuple[str, str], Callable[[], None]] = {}

    def answer(request: dict[str, Any]) -> dict[str, float]:
        key = request["what"], request["name"]
        if key not in made:
            made.clear()
            made[key] = kinds[request["what"]](request)
            made[key]()
        return {"seconds": seconds_a_call(made[key], request["calls"])}

    answer_requests(answer)


if __name__ == "__main__":
    main()
