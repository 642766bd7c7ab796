#!/usr/bin/env bash
# On a long run at a low sampling rate, the "tight" accountant reports more than the loose one
# Guess: PLD numerically composes the privacy loss itself, so its epsilon is never above that of Rényi orders (RDP).
# What happens: dp-accounting keeps each step's loss on a grid of 1e-4, erring to the safe side. At a sampling rate of
#   1e-5 a step's whole loss is smaller than the grid, and a million such errors add up: PLD's default says twice
#   RDP's epsilon, and with a finer grid (value_discretization_interval=1e-6) a seventh of its own default.
# Who is hurt: whoever accounts for a long run over many people (federated training, telemetry) with PLD "because it
#   is the tight one": the budget looks spent when most of it is left. Take the smaller of the two, or a finer grid.
# Versions: dp-accounting 0.6.0
# Source: repository google/differential-privacy, python/dp_accounting/dp_accounting/pld/pld_privacy_accountant.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check dp-accounting==0.6.0
cd "$tmp"
cat > finding.py <<'PY'
import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

rate, noise, steps, delta = 1e-5, 4.0, 10**6, 1e-5
step = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise))
event = dp_accounting.SelfComposedDpEvent(step, steps)
rdp = RdpAccountant().compose(event).get_epsilon(delta)
default = PLDAccountant().compose(event).get_epsilon(delta)
fine = PLDAccountant(value_discretization_interval=1e-6).compose(event).get_epsilon(delta)
print(f"sampling rate {rate}, noise multiplier {noise}, {steps:,} steps, delta {delta}")
print(f"epsilon: RDP {rdp:.4f}, PLD as it comes {default:.4f}, PLD on a grid of 1e-6 {fine:.4f}")
assert default > 1.5 * rdp, "PLD's default no longer reports more than RDP"
assert fine < 0.5 * rdp, "a finer grid no longer makes PLD the smaller one"
PY
"$tmp/env/bin/python" finding.py
echo "holds: pld_above_rdp"
