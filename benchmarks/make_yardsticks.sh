#!/usr/bin/env bash
# Makes the environment of the yardsticks: PyTorch and escnn, which lensnet does not need.
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
"$directory/bin/python" -c "import escnn, torch; print(torch.__version__, escnn.__version__)"
