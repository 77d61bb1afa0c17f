#!/usr/bin/env bash
# Makes the environment of the yardsticks: PyTorch, escnn and timm, which lensnet does not need.
#
#     benchmarks/make_yardsticks.sh DIRECTORY
#
# The benchmarks that compare with them take it as --yardsticks DIRECTORY/bin/python.
set -euo pipefail

directory=${1:?name the directory of the new environment}
python3 -m venv "$directory"
pip="$directory/bin/python -m pip install --quiet"
$pip torch==2.13.0 "numpy<2"
# escnn asks for packages that only its continuous groups use and that no longer build.
$pip --no-deps escnn==1.0.11 lie_learn
$pip "numpy<2" scipy pymanopt joblib autograd requests
# timm asks for torchvision, whose compiled operators need another PyTorch and are not used.
$pip --no-deps timm==1.0.31 torchvision==0.28.0
$pip "numpy<2" pyyaml safetensors huggingface_hub
"$directory/bin/python" -c "import escnn, torch; print(torch.__version__, escnn.__version__)"
