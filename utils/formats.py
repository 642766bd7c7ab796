"""Readers of image files that others made. Nothing is unpickled, nothing unpacked to disk, nothing read without bound.

Each gives x_train, y_train, x_test, y_test: images uint8, N x H x W or N x H x W x 3, labels (N,) integers.
"""

import gzip
import io
import math
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy import ndarray

LIMIT = 200_000_000  # bytes that one file may unpack to; the largest here has 184 million


def read_arrays(path: Path) -> dict[str, ndarray]:
    """All arrays of a NumPy archive, by name."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > LIMIT:
            raise ValueError(f"it unpacks to more than {LIMIT:,} bytes: keep images as uint8, or fewer of them")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_npz(path: Path) -> list[ndarray]:
    """The four arrays of an archive of images."""
    arrays = read_arrays(path)
    return [arrays[field] for field in ("x_train", "y_train", "x_test", "y_test")]


def read_idx(paths: Iterable[Path]) -> Iterator[ndarray]:
    """MNIST's format, one array a file: bytes 0, 0, 8, number of axes; the length of each, big-endian; the data."""
    for path in paths:
        content = _unpacked(path)
        axes = content[3]
        shape = [int(length) for length in np.frombuffer(content, ">u4", axes, offset=4)]
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
        if content[:3] != b"\0\0\x08" or len(values) != math.prod(shape):
            raise ValueError(f"{path.name} is not in IDX format")
        yield values.reshape(shape)


def read_cifar(paths: Iterable[Path]) -> Iterator[ndarray]:
    """CIFAR-10's binary version: six members, each of records of one label and 3 x 32 x 32 pixels."""
    (path,) = paths
    with tarfile.open(fileobj=io.BytesIO(_unpacked(path)), mode="r:") as archive:
        for batches in ([f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]):
            members = (archive.extractfile(f"cifar-10-batches-bin/{batch}.bin") for batch in batches)
            content = b"".join(member.read(LIMIT) for member in members)
            records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
            yield records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            yield records[:, 0]


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise ValueError(f"{path.name} unpacks to more than {LIMIT:,} bytes")
    return content


def check(arrays: Iterable[ndarray], shape: tuple[int, ...], classes: int) -> list[ndarray]:
    """The four arrays, if each image has `shape` and each label lies in 0 ... `classes` - 1. Else ValueError."""
    arrays = list(arrays)
    x_train, y_train, x_test, y_test = arrays
    for x, y in (x_train, y_train), (x_test, y_test):
        if x.dtype != np.uint8 or x.shape[1:] != shape or len(x) == 0:
            raise ValueError(f"its images are {x.dtype} of shape {x.shape}, not uint8 of shape (N, {str(shape)[1:]}")
        if y.dtype.kind not in "iu" or y.shape != (len(x),):
            raise ValueError(f"its labels are {y.dtype} of shape {y.shape}, not {len(x)} integers")
        if y.min() < 0 or y.max() >= classes:
            raise ValueError(f"its labels reach from {y.min()} to {y.max()}, not from 0 to {classes - 1}")
    return arrays
