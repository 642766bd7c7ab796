#!/usr/bin/env bash
# JupyterLite: the built site has no Python in it, and the torch that installs there has no tensors
# Guess: a static site that `jupyter lite build` wrote runs anywhere that serves its files; and with torch-pyodide
#   from the package index, a lesson's `import torch` and a gradient by an input work in it, slowly.
# What happens: the site holds the kernel's Python wheels and no Pyodide, which each reader's browser fetches from
#   another host, NumPy with it. Pyodide's own list of 356 packages has no torch. torch-pyodide installs and imports
#   as `torch`, with a version and names such as nn, autograd.grad and float64; the first tensor raises: what computes is
#   a program for WebGPU that its wheel does not hold and that a page must load first. torch.func and torch.Generator
#   are not there at all.
# Who is hurt: whoever offers notebooks with PyTorch by JupyterLite, or checks such a site by building it and by
#   importing torch: both are green, and no lesson runs, nor does any in a school network that allows one host.
# Versions: jupyterlite-core 0.8.6, jupyterlite-pyodide-kernel 0.8.6, jupyter-server 2.21.1, pyodide 314.0.6, torch-pyodide 0.0.84; needs npm
# Source: repository jupyterlite/pyodide-kernel, README; repository celsowm/torch-pyodide, torch/_runtime.py
set -euo pipefail
command -v npm >/dev/null || { echo "this finding needs Node.js with npm" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check jupyterlite-core==0.8.6 jupyterlite-pyodide-kernel==0.8.6 jupyter-server==2.21.1
"$tmp/env/bin/pip" install -qq --disable-pip-version-check --no-deps --target "$tmp/torch" torch-pyodide==0.0.84
cd "$tmp"
npm install --silent --no-audit --no-fund pyodide@314.0.6 >/dev/null

mkdir lessons
echo '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}' > lessons/lesson.ipynb
env/bin/jupyter lite build --contents lessons --output-dir site >build.log 2>&1 || { cat build.log >&2; exit 1; }
wheels=$(find site -name "*.whl" | wc -l)
engines=$(find site -name "*.wasm" | wc -l)
elsewhere=$(grep -rhoE 'https://[^"]*/pyodide\.m?js' site | sort -u | wc -l)
echo "the built site: $wheels wheels, $engines WebAssembly files, $elsewhere address of Pyodide on another host"
[ "$wheels" -gt 0 ] && [ "$engines" -eq 0 ] && [ "$elsewhere" -eq 1 ]

cat > finding.mjs <<'JS'
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const listed = Object.keys(JSON.parse(readFileSync("node_modules/pyodide/pyodide-lock.json")).packages);
console.log(`Pyodide lists ${listed.length} packages; torch among them: ${listed.includes("torch")}, numpy: ${listed.includes("numpy")}`);
const python = await loadPyodide();
python.FS.mkdirTree("/torch");
python.mountNodeFS("/torch", "./torch");
const saw = python.runPython(`
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/torch")
import torch
from torch import nn

def has(name):
    """Whether torch has this name, which may have a dot in it."""
    owner = torch
    for part in name.split("."):
        if not hasattr(owner, part):
            return False
        owner = getattr(owner, part)
    return True


there = [name for name in ("nn.Linear", "autograd.grad", "float64", "no_grad") if has(name)]
missing = [name for name in ("func", "vmap", "Generator") if not has(name)]
try:
    torch.tensor([1.0, 2.0])
    first = "made"
except RuntimeError as error:
    first = str(error).split(".")[0]
print(f"import torch: {torch.__version__}, with {', '.join(there)}, without {', '.join(missing)}")
print(f"torch.tensor([1.0, 2.0]): {first}")
len(there) == 4 and len(missing) == 3 and first == "Torch runtime bridge not found"
`);
if (!saw || listed.includes("torch") || !listed.includes("numpy")) throw new Error("this has changed");
JS
node finding.mjs
echo "holds: pyodide_torch"
