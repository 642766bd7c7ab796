"""The type of numbers in which a device computes fastest without losing what training needs."""

import torch


def fastest_type(device: torch.device | str) -> torch.dtype | None:
    """What to hand `fit` as `precision` on this device: bfloat16, float16, or None, which is float32.

    bfloat16 where the hardware multiplies it: NVIDIA from Ampere on, CPUs with AVX512_BF16. A T4 or V100 says that it
    supports bfloat16 and emulates it: it gets float16, whose small range `fit` makes up for by scaling the loss.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    known = torch.cpu.get_capabilities() if kind == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if known.get("avx512_bf16") else None
