"""The escnn side of benchmarks/invariance.py: the same networks from that library's layers.

    python baseline_invariance.py DIRECTORY

Runs in the environment of `make_baselines.sh`. DIRECTORY holds `request.json` (the networks, the
seeds, the recipe of the training) and `images.npz`; the answers go to `answers.npz` there. What is
measured from them is worked out by the caller, for both libraries alike.

The layers are those of escnn's own examples, with its own initialisation and its own choice of
rings and band limits: R2Conv, InnerBatchNorm, ReLU, PointwiseAvgPoolAntialiased of sigma 0.66 and
GroupPooling.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from escnn import gspaces, nn

SIGMA_PIXELS = 0.66
BATCH = 64


def disk(size: int, edge_width_pixels: float) -> torch.Tensor:
    """1 within the inscribed disk, falling as a raised cosine to 0 at its edge."""
    offset = torch.arange(size) - (size - 1) / 2
    inwards = size / 2 - torch.hypot(offset[:, None], offset[None, :])
    return (1 - torch.cos(math.pi * (inwards / edge_width_pixels).clamp(0, 1))) / 2


class Mask(torch.nn.Module):
    """Multiplies maps by the disk."""

    def __init__(self, edge_width_pixels: float):
        super().__init__()
        self.edge_width_pixels = edge_width_pixels

    def forward(self, x: nn.GeometricTensor) -> nn.GeometricTensor:
        mask = disk(x.tensor.shape[-1], self.edge_width_pixels)
        return nn.GeometricTensor(x.tensor * mask, x.type)


class Network(torch.nn.Module):
    """The network of a shape, as benchmarks/invariance_networks.py says; the answers are its."""

    def __init__(self, shape: dict[str, Any], edge_width_pixels: float):
        super().__init__()
        name, size = shape["symmetry"], shape["kernel_size"]
        rotations = int(name[1:])
        space = gspaces.flipRot2dOnR2(rotations) if name[0] == "d" else gspaces.rot2dOnR2(rotations)
        self.order = space.fibergroup.order()
        self.image = nn.FieldType(space, [space.trivial_repr])
        one, two, three = (
            nn.FieldType(space, channels // self.order * [space.regular_repr])
            for channels in shape["channels"]
        )
        strided = shape["downsampling"] == "strided"
        layers: list[torch.nn.Module] = [Mask(edge_width_pixels)]
        for kind_in, kind_out, downsampled in (
            (self.image, one, True),
            (one, one, False),
            (one, two, True),
            (two, two, False),
            (two, three, False),
        ):
            stride = 2 if downsampled and strided else 1
            layers += [
                nn.R2Conv(kind_in, kind_out, size, padding=size // 2, stride=stride, bias=False),
                nn.InnerBatchNorm(kind_out),
                nn.ReLU(kind_out),
            ]
            if shape["masks"] == "maps":
                layers.append(Mask(edge_width_pixels))
            if downsampled and not strided:
                layers.append(nn.PointwiseAvgPoolAntialiased(kind_out, SIGMA_PIXELS, 2))
        self.layers = torch.nn.Sequential(*layers)
        self.pool = nn.GroupPooling(three) if shape["pooling"] == "max" else None
        self.head = torch.nn.Linear(len(three), 2)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.layers(nn.GeometricTensor(images, self.image))
        means = maps.tensor.mean((2, 3), keepdim=True)
        if self.pool is None:
            features = means.reshape(len(means), -1, self.order).mean(-1)
        else:
            features = self.pool(nn.GeometricTensor(means, maps.type)).tensor.flatten(1)
        return features, self.head(features)


def answers(network: Network, rotated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and scores, shape (angles, images, ...)."""
    network.eval()
    flat = torch.from_numpy(rotated.reshape(-1, 1, *rotated.shape[2:]))
    with torch.no_grad():
        batches = [network(batch) for batch in flat.split(BATCH)]
    features, logits = (torch.cat(part).numpy() for part in zip(*batches, strict=True))
    shape = rotated.shape[:2]
    return features.reshape(*shape, -1), (logits[:, 1] - logits[:, 0]).reshape(shape)


def random_features(
    shape: dict[str, Any], seed: int, edge_width_pixels: float, data: Any
) -> np.ndarray:
    """The features of a network with random weights, its batch norm's statistics from data."""
    torch.manual_seed(seed)
    network = Network(shape, edge_width_pixels)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(torch.from_numpy(data["statistics_images"][:, None]))
    return answers(network, data["rotated"])[0]


def trained_scores(
    shape: dict[str, Any], seed: int, edge_width_pixels: float, data: Any, recipe: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """The logits of "lens" of a trained network: at every angle, and of the test images."""
    torch.manual_seed(seed)
    network = Network(shape, edge_width_pixels)
    steps, warmup = len(data["order"]), recipe["warmup_steps"]
    optimizer = torch.optim.Adam(network.parameters(), recipe["learning_rate"])

    def rate(step: int) -> float:
        if step < warmup:
            return step / warmup
        return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    images = torch.from_numpy(data["train_images"][:, None])
    labels = torch.from_numpy(data["train_labels"])
    network.train()
    for seen in torch.from_numpy(data["order"]):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images[seen])[1], labels[seen])
        loss.backward()
        optimizer.step()
        schedule.step()
    return answers(network, data["rotated"])[1], answers(network, data["test_images"][None])[1][0]


def main() -> None:
    torch.set_num_threads(2)
    directory = Path(sys.argv[1])
    request = json.loads((directory / "request.json").read_text(encoding="utf-8"))
    with np.load(directory / "images.npz") as stored:
        data = dict(stored)
    edge = request["edge_width_pixels"]
    found = {}
    for task in request["random"]:
        for seed in task["seeds"]:
            found[f"{task['key']}/{seed}"] = random_features(task["shape"], seed, edge, data)
    for task in request["trained"]:
        for seed in task["seeds"]:
            scores, test = trained_scores(task["shape"], seed, edge, data, request["recipe"])
            found[f"{task['key']}/{seed}/scores"] = scores
            found[f"{task['key']}/{seed}/test"] = test
    np.savez(directory / "answers.npz", **found)


if __name__ == "__main__":
    main()
