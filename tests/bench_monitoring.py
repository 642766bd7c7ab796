"""How fast monitors read: `python tests/bench_monitoring.py`. Events a second on one core, and memory on a long stream.

The speed beside alibi-detect is printed by tests/test_monitoring_peers.py.
"""

import resource
import time

import numpy as np
import torch

from utils import monitoring

EVENTS = 1_000_000


def main() -> None:
    torch.set_num_threads(1)
    values = (torch.rand(EVENTS, generator=torch.Generator().manual_seed(0)) < 0.1).double()
    plain, adwin, halves = values.tolist(), monitoring.Adwin(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    for i, value in enumerate(plain):
        adwin.update(value)
        if i == EVENTS // 2:
            halves.append(sum(map(len, adwin.rows)))
    seconds = time.process_time() - begin
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    buckets = f"{halves[0]} buckets half-way, {sum(map(len, adwin.rows))} at the end"
    print(f"Adwin: {EVENTS / seconds:,.0f} events a second over {EVENTS:,}, {buckets}, {grown:.0f} MB more memory")
    few = values[:100_000].view(100, 1000)
    for name, detect in (("cusum", {"slack": 0.05}), ("e_detector", {})):
        begin = time.process_time()
        getattr(monitoring, name)(few, mean=0.1, **detect)
        print(f"{name}, 100 streams side by side: {few.numel() / (time.process_time() - begin):,.0f} events a second")
    accounts()


def accounts() -> None:
    """The monitor of accounts on queries of 64 numbers, from 5,000 accounts, all of which it remembers."""
    random = np.random.default_rng(0)
    images = random.random((4096, 64))
    usual = torch.cat([monitoring.nearest(torch.from_numpy(images[i : i + 60])) for i in range(0, 1800, 60)])
    monitor = monitoring.QueryMonitor(usual, run_length=10_000, accounts=5000)
    senders, which = random.integers(5000, size=EVENTS).tolist(), random.integers(4096, size=EVENTS).tolist()
    held = []
    begin = time.process_time()
    for i, (sender, image) in enumerate(zip(senders, which, strict=True)):
        monitor.update(sender, images[image].copy())
        if i in (EVENTS // 2, EVENTS - 1):
            held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    seconds = time.process_time() - begin
    most = f"{len(monitor.memory)} accounts held, {held[1] - held[0]:.0f} MB more at the end than half-way"
    print(f"QueryMonitor: {EVENTS / seconds:,.0f} queries a second over {EVENTS:,}, {most}")


if __name__ == "__main__":
    main()
