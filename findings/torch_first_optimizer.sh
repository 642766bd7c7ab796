#!/usr/bin/env bash
# PyTorch: the first optimizer of a process imports the compiler and SymPy, and changes the environment
# Guess: after `import torch` an optimizer is a small object of Python; making one takes microseconds, and a process
#   that never compiles anything never loads torch.compile's machinery.
# What happens: torch.optim.SGD(...), of any model, loads torch._dynamo, and with it all of SymPy: some 900 modules
#   and a second of processor time or more, several on a busy machine. It also sets TORCHINDUCTOR_CACHE_DIR in
#   os.environ. `import torch` and a forward and backward pass do neither.
# Who is hurt: whoever trains in many short processes (workers that fork for each job, graders of homework, tests in
#   processes of their own, cold starts): each pays this again, also where a parent has imported torch before it forks,
#   and a time limit of seconds for a few updates is spent on imports. The cure is to make an optimizer, or to import
#   torch._dynamo, before the fork.
# Versions: torch 2.13.0
# Source: repository pytorch/pytorch, torch/optim/optimizer.py, torch/_compile.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import os
import sys
import time

import torch


def watched(name, do):
    modules, variables, begin = set(sys.modules), set(os.environ), time.process_time()
    result = do()
    new, seconds = set(sys.modules) - modules, time.process_time() - begin
    print(f"{name}: {len(new)} modules, SymPy {'yes' if 'sympy' in new else 'no'}, {seconds:.2f} s of processor time")
    return result, new, sorted(set(os.environ) - variables)


os.environ.pop("TORCHINDUCTOR_CACHE_DIR", None)
model = torch.nn.Linear(3, 2)
_, passes, _ = watched("forward and backward", lambda: model(torch.ones(5, 3)).sum().backward())
optimizer, first, variables = watched("the first optimizer", lambda: torch.optim.SGD(model.parameters(), lr=0.1))
_, second, _ = watched("the second", lambda: torch.optim.SGD(model.parameters(), lr=0.1))
_, step, _ = watched("a step", optimizer.step)
print("new in os.environ:", ", ".join(variables))
assert len(passes) < 50 and len(second | step) < 5, "a pass, a step or a second optimizer imports much"
assert len(first) > 500 and {"sympy", "torch._dynamo"} <= first, "the first optimizer imports little"
assert variables == ["TORCHINDUCTOR_CACHE_DIR"], "the environment is as it was"
PY
"$tmp/env/bin/python" finding.py
echo "holds: torch_first_optimizer"
