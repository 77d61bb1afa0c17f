#!/usr/bin/env bash
# Installs what benchmarks/prepare_gpu.sh collected, as far as this machine's Python lacks it: its
# own JAX, PyTorch and the like are what is to be measured. Needs no internet.
#
#     benchmarks/install_gpu.sh FOLDER SITE
#     PYTHONPATH=SITE:. python3 benchmarks/gpu.py --images FOLDER/model_i.npz
set -euo pipefail

folder=${1:?name the folder of prepare_gpu.sh}
site=${2:?name the folder to install into}
mapfile -t missing < <(python3 - "$folder" <<'END'
import sys
from importlib import metadata
from pathlib import Path

for wheel in sorted(Path(sys.argv[1]).glob("*.whl")):
    try:
        metadata.version(wheel.name.split("-")[0])
    except metadata.PackageNotFoundError:
        print(wheel)
END
)
if ((${#missing[@]})); then
    python3 -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
        --target "$site" "${missing[@]}"
fi
echo "Installed into $site: ${missing[*]##*/}"
