#!/usr/bin/env bash
# Gradescope runs this once, as root, when the autograder is uploaded.
set -euo pipefail
autograder=${AUTOGRADER:-/autograder}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "The grader needs Python 3.11 or newer: choose Ubuntu 24.04 as the autograder's base image."
    exit 1
}
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends python3-venv bubblewrap
id grader >/dev/null 2>&1 || useradd --create-home grader # who grades: students' code never runs as root

cd "$autograder/source"
python3 -m venv "$autograder/venv"
"$autograder/venv/bin/python" -m pip install --quiet -c constraints.txt -e '.[course]'
