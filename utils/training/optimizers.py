"""Torch's optimizers as they are, without the wrapping that torch's compiler needs.

The first call of a wrapped method imports that compiler, `torch._dynamo`: a second or more of a processor, and 150 MB,
for something that nothing here uses. The methods below are torch's own, unwrapped, so the numbers are the same.
"""

from inspect import unwrap

import torch
from torch.optim import Optimizer

WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def unwrapped(kind: type[Optimizer]) -> type[Optimizer]:
    """A subclass of `kind` whose methods are those beneath the wrapping."""
    methods = {name: unwrap(getattr(kind, name)) for name in WRAPPED}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(unwrap(kind.step)), "__doc__": kind.__doc__})


Adam, SGD = unwrapped(torch.optim.Adam), unwrapped(torch.optim.SGD)
