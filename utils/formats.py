"""Readers of files that others made. Nothing is unpickled, nothing unpacked to disk, nothing read without bound.

Each gives x_train, y_train, x_test, y_test: images uint8, N x H x W or N x H x W x 3, labels (N,) integers.
"""

import csv
import gzip
import io
import math
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image

LIMIT = 200_000_000  # bytes that one file may unpack to; the largest here has 184 million
LATER = 84_807  # payments in the test split: the last 30 %


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


def read_gtsrb(paths: Iterable[Path], side: int = 32) -> Iterator[ndarray]:
    """The German road signs' three archives: training images in a folder for each class, test images, their classes.

    The photographs are 15 to 250 pixels wide; each is resized to `side` x `side` as a whole, by area (bilinear).
    """
    training, test, answers = paths
    names, images = _photographs(training, side)
    yield images
    yield np.array([int(name.split("/")[-2]) for name in names])
    with zipfile.ZipFile(answers) as archive:
        rows = csv.DictReader(io.StringIO(member(archive, "GT-final_test.csv").decode()), delimiter=";")
        said = {row["Filename"]: int(row["ClassId"]) for row in rows}
    names, images = _photographs(test, side)
    yield images
    yield np.array([said[name.split("/")[-1]] for name in names])


def _photographs(path: Path, side: int) -> tuple[list[str], ndarray]:
    """Names and images of all photographs in an archive, in the order of their names."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".ppm"))
        return names, np.stack([_photograph(member(archive, name), side) for name in names])


def _photograph(content: bytes, side: int) -> ndarray:
    with Image.open(io.BytesIO(content), formats=["PPM"]) as image:
        if max(image.size) > 1000:
            raise ValueError(f"an image is {image.size[0]} x {image.size[1]}")
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def read_payments(path: Path) -> list[ndarray]:
    """Payments by card in order of time, a row each: seconds, 28 components, amount, whether it was a fraud.

    The last `LATER` rows are the test split. The seconds are left out: they would tell the splits apart. Each other
    column is scaled so that 0.1 % of the training rows lie below 0 and 0.1 % above 1, and clamped (float32).
    """
    if not 0 < path.stat().st_size <= LIMIT:
        raise ValueError(f"it has {path.stat().st_size:,} bytes")
    table = np.loadtxt(path, np.float32, delimiter=",", skiprows=1, quotechar='"')
    if table.ndim != 2 or table.shape[1] != 31 or len(table) <= LATER or not np.isfinite(table).all():
        raise ValueError(f"it has {table.shape} numbers, not 31 in each of more than {LATER:,} rows")
    if not np.isin(table[:, 30], (0, 1)).all():
        raise ValueError("its last column, Class, is not 0 or 1")
    x, y = table[:, 1:30], table[:, 30].astype(np.int64)
    low, high = np.quantile(x[:-LATER], (0.001, 0.999), axis=0)
    x = ((x - low) / np.maximum(high - low, 1e-9)).clip(0, 1).astype(np.float32)
    return [x[:-LATER], y[:-LATER], x[-LATER:], y[-LATER:]]


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """One file in a ZIP archive, of at most a hundredth of `LIMIT`: the largest here has half a million bytes."""
    if archive.getinfo(name).file_size > LIMIT // 100:
        raise ValueError(f"{name} unpacks to more than {LIMIT // 100:,} bytes")
    return archive.read(name)


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise ValueError(f"{path.name} unpacks to more than {LIMIT:,} bytes")
    return content


def check_arrays(arrays: Iterable[ndarray], shape: tuple[int, ...], classes: int) -> list[ndarray]:
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
