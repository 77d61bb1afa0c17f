"""The scripts of `benchmarks/` are no package: they are found in their folder."""

import sys
from pathlib import Path

# Last, so that none of them stands before a module of the same name.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
