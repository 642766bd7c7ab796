#!/usr/bin/env bash
# ONNX Runtime: a maximum over values with a NaN among them is an ordinary number
# Guess: NaN in, NaN out: a missing or broken input shows in the answer, as it does in PyTorch and NumPy.
# What happens: on the CPU, ReduceMax and GlobalMaxPool drop a NaN in nearly every position (of 50, all but one). A
#   network that ends in "maximum over time" or "over points" answers an ordinary, finite class where the same
#   weights in PyTorch answer NaN.
# Who is hurt: whoever serves a text CNN, a point cloud or a sensor model by ONNX Runtime and counts on NaN to find
#   broken inputs; a monitor built on the exported model stays quiet. Check inputs for NaN before the model.
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6
# Source: repository microsoft/onnxruntime, issue 10514 (open since 2022: depends on how many NaN there are and
#   where)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def session(op, **attributes):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 50])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], **attributes)], op, [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


rng = np.random.default_rng(0)
for op, attributes in (("ReduceMax", {"axes": [2]}), ("GlobalMaxPool", {}), ("ReduceMean", {"axes": [2]})):
    run, shown = session(op, **attributes), 0
    for place in range(50):
        x = rng.random((1, 1, 50), dtype=np.float32)
        x[..., place] = np.nan
        shown += np.isnan(run.run(None, {"x": x})[0]).any()
    print(f"{op} of 50 values, one of them NaN: the answer is NaN for {shown} of 50 places")
    assert shown == 50 if op == "ReduceMean" else shown < 10, f"{op} treats NaN in another way"
assert np.isnan(x.max()), "NumPy's maximum drops the NaN"
PY
"$tmp/env/bin/python" finding.py
echo "holds: onnxruntime_nan_max"
