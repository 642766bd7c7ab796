#!/usr/bin/env bash
# dp-accounting: at a tiny delta the pessimistic epsilon of a long run lies below the optimistic one
# Guess: epsilon from a pessimistic privacy loss distribution is an upper bound at every delta, so it is never below
#   the optimistic estimate of the same grid; a finer grid brings the two together.
# What happens: after 100,000 compositions by fast Fourier transform, what lies in the far tail is rounding. At delta
#   1e-6 all is in order. At 1e-12 the "upper" bound on epsilon lies below the "lower" one (grid 3e-5), and a finer
#   grid moves it up instead of down. Nothing is raised.
# Who is hurt: whoever states a delta far below one in the number of people, to be on the safe side, and reports an
#   epsilon that is no bound. Ask at a delta well above the rounding of the transform, and hold it against Rényi's.
# Versions: dp-accounting 0.6.0, numpy 2.4.6, scipy 1.17.1
# Source: repository google/differential-privacy, python/dp_accounting/dp_accounting/pld/common.py (self_convolve)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check dp-accounting==0.6.0 numpy==2.4.6 scipy==1.17.1
cd "$tmp"
cat > finding.py <<'PY'
import logging

from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

logging.disable(logging.WARNING)  # that the optimistic estimate takes the older of two ways to discretise


def epsilons(grid, pessimistic):
    """At delta 1e-6 and at 1e-12: noise 0.5, a record in one of 250 batches, 100,000 updates."""
    one = from_gaussian_mechanism(
        0.5, value_discretization_interval=grid, sampling_prob=0.004, pessimistic_estimate=pessimistic
    )
    many = one.self_compose(100_000)
    return [many.get_epsilon_for_delta(delta) for delta in (1e-6, 1e-12)]


above = {grid: epsilons(grid, True) for grid in (1e-4, 3e-5)}
below = epsilons(3e-5, False)
for grid, (usual, tiny) in above.items():
    print(f"pessimistic, grid {grid:g}: epsilon {usual:.2f} at delta 1e-6, {tiny:.2f} at 1e-12")
print(f"optimistic,  grid 3e-05: epsilon {below[0]:.2f} at delta 1e-6, {below[1]:.2f} at 1e-12")
assert above[3e-5][0] >= below[0] and above[3e-5][0] <= above[1e-4][0], "out of order at delta 1e-6, too"
assert above[3e-5][1] < below[1] - 0.5, "at delta 1e-12 the upper bound is above the lower one"
assert above[3e-5][1] > above[1e-4][1], "a finer grid brings the bound down"
PY
"$tmp/env/bin/python" finding.py
echo "holds: pld_tiny_delta"
