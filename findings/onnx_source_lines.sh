#!/usr/bin/env bash
# A model exported to ONNX by PyTorch carries lines of its source code and the path they lay in
# Guess: an ONNX file holds the graph, the weights and the exporter's name and version.
# What happens: each node's metadata holds the Python stack at the time of tracing: the absolute path of every
#   source file and the text of the line that made the node, with its local names.
# Who is hurt: whoever publishes a model or sends it to a customer: the user name in a home folder, a project's code
#   name and lines of closed code go with it, and two people's exports of one model differ. Delete metadata_props
#   first.
# Versions: torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, numpy 2.4.6
# Source: docs.pytorch.org, torch.onnx (dynamo=True, the default); repository pytorch/pytorch,
#   torch/onnx/_internal/exporter
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import logging
import os
import warnings

import onnx
import torch

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")


class Net(torch.nn.Module):
    def forward(self, x):
        quarterly_price_factor = 0.37
        return torch.relu(x * quarterly_price_factor)


torch.onnx.export(Net().eval(), (torch.rand(1, 4),), "net.onnx", verbose=False)
found = {}
for stage in ("as exported", "metadata deleted"):
    model = onnx.load("net.onnx")
    if stage == "metadata deleted":
        for node in model.graph.node:
            del node.metadata_props[:]
    data = model.SerializeToString()
    found[stage] = os.path.abspath(__file__).encode() in data, b"x * quarterly_price_factor" in data
    print(f"{stage}: path of the source file {found[stage][0]}, text of its line {found[stage][1]}")
assert found == {"as exported": (True, True), "metadata deleted": (False, False)}, "the file tells something else"
PY
"$tmp/env/bin/python" finding.py
echo "holds: onnx_source_lines"
