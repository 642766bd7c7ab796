#!/usr/bin/env bash
# What a container does once, and any fresh clone can: the environment, and lesson 00's check of it. TORCH=cuda: with CUDA.
set -euo pipefail
cd "$(dirname "$0")/.."

torch=${TORCH:-cpu}
if [ "$torch" = cpu ]; then # only then: pip would take this index's build for the one with CUDA, too
    export PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL:-https://download.pytorch.org/whl/cpu}
fi
make TORCH="$torch" .venv/made
.venv/bin/python - <<'END'
import sys

from utils.environment import check_environment

print(report := check_environment())
sys.exit(not report.ready)
END
