"""The PyTorch side of benchmarks/data.py: it answers requests, a JSON line each.

Runs in the environment of `make_baselines.sh`. A request names a folder of `class/*.npy` images
and what to do to them; the answer is the seconds that an epoch over them took, and how many images
it had: a `DataLoader` of two workers, as its documentation has it, an image a file, shuffled.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import answer_requests
from torch.utils.data import DataLoader, Dataset

BATCH = 64


class Files(Dataset):
    """Images of a folder, scaled to 0..1, and flipped and rotated if asked.

    Args:
        folder: with a folder a class.
        augmented: whether to flip, and to rotate by up to 15 degrees, bilinearly.
    """

    def __init__(self, folder: Path, augmented: bool):
        self.paths = sorted(str(path) for path in folder.glob("*/*.npy"))
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = torch.from_numpy(np.load(self.paths[index]).astype(np.float32))[None]
        lowest, highest = image.min(), image.max()
        image = (image - lowest) / (highest - lowest)
        if self.augmented:
            sides = [axis for axis in (1, 2) if torch.rand(()) < 0.5]
            image = rotated(torch.flip(image, sides))
        return image, int(index % 2)


def rotated(image: torch.Tensor) -> torch.Tensor:
    """An image (1, H, W) rotated by up to 15 degrees, the edge reflected."""
    angle = float(torch.empty(()).uniform_(-15, 15)) * math.pi / 180
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[[cosine, -sine, 0.0], [sine, cosine, 0.0]]])
    functional: Any = torch.nn.functional
    grid = functional.affine_grid(matrix, (1, *image.shape), align_corners=False)
    how = {"mode": "bilinear", "padding_mode": "reflection", "align_corners": False}
    return functional.grid_sample(image[None], grid, **how)[0]


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Goes through the files once."""
    files = Files(Path(request["folder"]), request["augmented"])
    loader = DataLoader(files, batch_size=BATCH, shuffle=True, num_workers=2)
    start = time.perf_counter()
    images = sum(len(batch) for batch, _ in loader)
    return {"seconds": time.perf_counter() - start, "images": images}


if __name__ == "__main__":
    answer_requests(answer)
