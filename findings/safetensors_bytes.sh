#!/usr/bin/env bash
# safetensors: saving the same weights with the same metadata gives another file each time
# Guess: the format is a plain header and raw numbers, so equal content means equal bytes and an equal SHA-256.
# What happens: tensors are written in a fixed order, the metadata in the random order of a hash map. With eight
#   entries, five saves in one process give five different files; with none or one, they are the same.
# Who is hurt: whoever pins, signs or compares models by a file's hash, or caches by it: a rebuilt model "has
#   changed", and a reproducible build cannot be shown. Hash the tensors, or keep at most one metadata entry (JSON
#   within it).
# Versions: safetensors 0.8.0, numpy 2.4.6
# Source: repository safetensors/safetensors, issue 584
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import hashlib

import numpy as np
from safetensors.numpy import load, save

weights = {"layer.weight": np.ones((4, 3), np.float32), "layer.bias": np.zeros(4, np.float32)}
different = {}
for entries in (0, 1, 8):
    metadata = {f"key{i}": "value" for i in range(entries)}
    files = [save(weights, metadata=metadata or None) for _ in range(5)]
    different[entries] = len({hashlib.sha256(file).hexdigest() for file in files})
    print(f"{entries} metadata entries: 5 saves, {different[entries]} different SHA-256")
    assert all(np.array_equal(load(file)[name], weights[name]) for file in files for name in weights)
assert different[0] == different[1] == 1 and different[8] > 1, "the bytes are reproducible now"
PY
"$tmp/env/bin/python" finding.py
echo "holds: safetensors_bytes"
