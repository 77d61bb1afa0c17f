#!/usr/bin/env bash
# Collects what benchmarks/gpu.py needs on a machine without internet whose Python has JAX, PyTorch,
# NumPy, SciPy and Pillow: wheels of what else it imports, and simulated images.
#
#     benchmarks/prepare_gpu.sh FOLDER [PYTHON_VERSION] [PYTHON]
#
# PYTHON_VERSION is that machine's, default 3.12; PYTHON one here that has lensnet, default python3.
# FOLDER gets about 35 MB. There, from the repository's root, benchmarks/install_gpu.sh FOLDER SITE.
set -euo pipefail

folder=${1:?name the folder}
version=${2:-3.12}
python=${3:-python3}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"

# One version of each, and nothing of what they need that such a machine has: a second NumPy or
# PyTorch would hide its own. escnn's lie_learn serves its continuous groups alone and is left out.
rm -f "$folder"/*.whl
platforms=()
for number in 39 35 34 31 28 27 24 17 12 5; do platforms+=(--platform "manylinux_2_${number}_x86_64"); done
for year in 2014 2010 1; do platforms+=(--platform "manylinux${year}_x86_64"); done
"$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$folder" \
    --python-version "$version" --implementation cp "${platforms[@]}" \
    keras==3.15.1 namex==0.1.0 optree==0.20.0 h5py absl-py rich markdown-it-py mdurl pygments \
    escnn==1.0.11 pymanopt autograd joblib cloudpickle \
    timm==1.0.31 safetensors huggingface_hub \
    pydantic==2.12.5 pydantic-core==2.41.5 annotated-types typing-inspection typing-extensions \
    PyYAML

"$python" "$here/model_i_images.py" "$folder/model_i.npz"
du -sh "$folder"
