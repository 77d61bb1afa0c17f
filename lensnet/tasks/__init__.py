"""The tasks, one a file, by the names that `task` takes."""

from __future__ import annotations

from lensnet.registry import tasks
from lensnet.tasks import binary, classification, regression

for _module in (classification, binary, regression):
    tasks.register(_module.TASK.name, _module.TASK)
