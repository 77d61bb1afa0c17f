#!/usr/bin/env bash
# Makes the environment of the baselines: PyTorch, escnn and timm, which lensnet does not need.
#
#     benchmarks/make_baselines.sh [DIRECTORY]
#
# DIRECTORY is by default baselines/ in the user's cache folder. The benchmarks that compare with
# them take it as --baselines DIRECTORY/bin/python.
set -euo pipefail

directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lensnet/baselines}
here=$(cd "$(dirname "$0")" && pwd)
python3 -m venv "$directory"
pip() { "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

# The build for CPUs, where there is one apart from the others: it is a tenth as large. Its index is
# asked for nothing else.
pip --no-deps --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu ||
    pip --no-deps torch==2.13.0
pip torch==2.13.0 "numpy<2"
# escnn asks for packages that only its continuous groups use and that no longer build.
pip --no-deps escnn==1.0.11 lie_learn
pip "numpy<2" scipy pymanopt joblib autograd requests
# timm asks for torchvision, whose compiled operators need another PyTorch and are not used.
pip --no-deps timm==1.0.31 torchvision==0.28.0
pip "numpy<2" pillow pyyaml safetensors huggingface_hub

# What the benchmarks import is imported here, so that what is missing shows now.
for baseline in zoo layers data invariance training; do
    (cd "$here" && "$directory/bin/python" -W ignore -c "import baseline_$baseline")
done
"$directory/bin/python" -m pip list 2>/dev/null | grep -iE "^(torch|escnn|timm|numpy|pillow) "
echo "--baselines $directory/bin/python"
