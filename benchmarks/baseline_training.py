"""The PyTorch side of benchmarks/training.py: it answers requests, a JSON line each.

Runs in the environment of `make_baselines.sh`. A request names a folder of `class/*.npy` images,
how many of them are for training and for validation, and how many epochs to train; the answer is
the seconds that an epoch took: training, as its documentation has it, by a `DataLoader` of two
workers, validation, and the best weights written to disk.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import answer_requests
from torch.utils.data import DataLoader, Dataset

# torchvision's compiled operators do not fit this build of PyTorch; the models use none of them.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("unused")

import timm  # noqa: E402


class Files(Dataset):
    """Images scaled to 0..1 and, for training, flipped and rotated by quarter turns.

    Args:
        paths: of the files, in folders named by their class.
        augmented: whether they are for training.
    """

    def __init__(self, paths: list[Path], augmented: bool):
        self.paths = paths
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        path = self.paths[index]
        image = torch.from_numpy(np.load(path))[None]
        lowest, highest = image.min(), image.max()
        image = (image - lowest) / (highest - lowest)
        if self.augmented:
            image = torch.flip(image, [axis for axis in (1, 2) if torch.rand(()) < 0.5])
            image = torch.rot90(image, int(torch.randint(4, ())), (1, 2))
        return image, torch.tensor([float(path.parent.name == "sub")])


class Training:
    """A network, its optimizer and its data.

    Args:
        request: what is asked for.
    """

    def __init__(self, request: dict[str, Any]):
        paths = sorted(Path(request["folder"]).glob("*/*.npy"))
        order = torch.randperm(len(paths)).tolist()
        count = request["training"]
        parts = order[:count], order[count : count + request["validation"]]
        training, validation = ([paths[place] for place in part] for part in parts)
        size, workers = request["batch"], {"num_workers": 2, "persistent_workers": True}
        self.training = DataLoader(Files(training, True), size, shuffle=True, **workers)
        self.validation = DataLoader(Files(validation, False), size, **workers)
        model = timm.create_model(request["name"], num_classes=1, in_chans=1)
        self.model = model.to(memory_format=torch.channels_last)
        self.loss = torch.nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, 1000 * len(self.training)
        )
        self.best = float("inf")

    def epoch(self, weights: Path) -> None:
        """Trains and validates once, and keeps the best weights."""
        self.model.train()
        for images, labels in self.training:
            images = images.to(memory_format=torch.channels_last)
            self.optimizer.zero_grad()
            self.loss(self.model(images), labels).backward()
            self.optimizer.step()
            self.schedule.step()
        self.model.eval()
        total = 0.0
        with torch.inference_mode():
            for images, labels in self.validation:
                images = images.to(memory_format=torch.channels_last)
                total += float(self.loss(self.model(images), labels)) * len(images)
        if total < self.best:
            self.best = total
            torch.save(self.model.state_dict(), weights)


def main() -> None:
    """Answers requests until standard input ends."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    made: dict[str, Training] = {}

    def answer(request: dict[str, Any]) -> dict[str, float]:
        key = f"{request['name']} {request['folder']}"
        with tempfile.TemporaryDirectory() as directory:
            weights = Path(directory) / "best.pt"
            if key not in made:
                made[key] = Training(request)
                made[key].epoch(weights)
            seconds = []
            for _ in range(request["epochs"]):
                start = time.perf_counter()
                made[key].epoch(weights)
                seconds.append(time.perf_counter() - start)
        return {"seconds": statistics.mean(seconds)}

    answer_requests(answer)


if __name__ == "__main__":
    main()
