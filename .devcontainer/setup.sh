#!/usr/bin/env bash
# What a container does once, and any fresh clone can: the environment, and lesson 00's check of it. TORCH=cuda: with CUDA.
set -euo pipefail
cd "$(dirname "$0")/.."

make TORCH="${TORCH:-cpu}" .venv/made
.venv/bin/python - <<'END'
import sys

from utils.environment import check_environment

print(report := check_environment())
sys.exit(not report.ready)
END
