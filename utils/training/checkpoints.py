"""A training that goes on where it was stopped: all that it holds in one safetensors file, which can run no code."""

import json
import os
from pathlib import Path

import torch
from torch import Tensor


def taken_apart(value: object, tensors: dict[str, Tensor], path: str) -> object:
    """A nest of dicts and lists as JSON can hold it: its tensors go into `tensors`, under their paths."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": path}
    if isinstance(value, dict):  # as pairs, for an optimizer's keys are integers
        return {"pairs": [[key, taken_apart(part, tensors, f"{path}.{key}")] for key, part in value.items()]}
    if isinstance(value, (list, tuple)):
        return [taken_apart(part, tensors, f"{path}.{i}") for i, part in enumerate(value)]
    return value


def put_together(value: object, tensors: dict[str, Tensor]) -> object:
    if isinstance(value, list):
        return [put_together(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    return {key: put_together(part, tensors) for key, part in value["pairs"]}


def write_checkpoint(file: Path, state: dict) -> None:
    """Write `state`, dicts and lists of tensors, numbers and texts. The file is complete or it is the one before."""
    from safetensors.torch import save_file  # not needed by those who keep none

    tensors: dict[str, Tensor] = {}
    structure = json.dumps(taken_apart(state, tensors, "state"))
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".unfinished")
    save_file(tensors, unfinished, metadata={"structure": structure})
    os.replace(unfinished, file)


def read_checkpoint(file: Path) -> dict:
    """What `write_checkpoint` wrote, on the CPU. ValueError, which says what to do, for another file."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(file, framework="pt") as opened:
            structure = json.loads(opened.metadata()["structure"])
        return put_together(structure, load_file(file))
    except Exception as problem:  # whatever a damaged or foreign file can cause
        raise ValueError(
            f"{file} is no checkpoint of a training ({problem}): delete it, or name another file"
        ) from None
