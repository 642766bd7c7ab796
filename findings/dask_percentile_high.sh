#!/usr/bin/env bash
# A percentile of a Dask array is too high, and the more chunks the higher
# Guess: dask.array.percentile is approximate, so it is right to a few digits and errs to both sides.
# What happens: it merges the percentiles of the chunks with a bias upwards that grows with their number. For a
#   million draws from one normal distribution in 1,000 chunks, the 99.9th percentile is 3.79 instead of 3.09, and
#   only 1 in 12,000 values lies above it, not 1 in 1,000. Even the median is off by 0.13 standard deviations.
# Who is hurt: whoever sets an alarm's threshold at "99.9 % of normal traffic" on data that fit no single machine:
#   the monitor then fires far more rarely than promised, and repartitioning the same data changes the threshold.
# Versions: dask 2026.8.0, numpy 2.4.6
# Source: docs.dask.org, dask.array.percentile ("approximate percentile"); repository dask/dask,
#   dask/array/percentile.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check dask[array]==2026.8.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import dask.array
import numpy as np

x = np.random.default_rng(0).normal(size=1_000_000)  # independent draws: each chunk looks like the whole
true = np.percentile(x, 99.9)
print(f"numpy: 99.9th percentile {true:.2f}, {np.mean(x > true):.3%} of the values above it")
above = {}
for chunks in (10, 100, 1000):
    array = dask.array.from_array(x, chunks=len(x) // chunks)
    threshold, median = (float(dask.array.percentile(array, q).compute()) for q in (99.9, 50))
    above[chunks] = np.mean(x > threshold)
    print(f"{chunks} chunks: {threshold:.2f}, {above[chunks]:.3%} above it; median {median:.3f} for {np.median(x):.3f}")
assert above[10] > above[100] > above[1000], "more chunks no longer raise the percentile"
assert above[100] < 0.0006 and above[1000] < 0.0002, "the percentile is no longer far too high"
PY
"$tmp/env/bin/python" finding.py
echo "holds: dask_percentile_high"
