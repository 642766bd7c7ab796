"""Real data: what `load` returns, and that no host, file, disk or second kernel can make it return anything else.

The downloads run against a web server on 127.0.0.1 that the tests misuse; a guard keeps them off the real network.
"""

import builtins
import gzip
import hashlib
import io
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbclient
import nbformat
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils import data, download, formats
from utils.data import Split, chunks, load
from utils.domains.texts import load_texts

ROOT = Path(__file__).resolve().parent.parent
CLOSED = "http://127.0.0.1:9/"  # the discard port: nobody answers
HOSTS, HASHES = download.HOSTS, download.HASHES  # as published: while a test runs, others stand in their place
FIELDS = ("x_train", "y_train", "x_test", "y_test")


# ---------------------------------------------------------------- a small world: no network but loopback, own folders


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch, tmp_path):
    connect = socket.socket.connect

    def guarded(self, address):
        assert not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1"), f"a test asked for {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for variable in ("COURSE_DATASET", "COURSE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "HOSTS", dict.fromkeys(HOSTS, (CLOSED, CLOSED)))


@pytest.fixture
def impatient(monkeypatch):
    """Pooch does not wait between its two attempts."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def test_the_guard_stops_real_connections():
    with pytest.raises(AssertionError, match="a test asked"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.2)


def images(count=(60, 20), shape=(28, 28), classes=10, seed=0):
    """A small set in the four arrays of the archives, of incompressible noise."""
    rng = np.random.default_rng(seed)
    return [
        array.astype(np.uint8)
        for n in count
        for array in (rng.integers(0, 256, (n, *shape)), rng.integers(0, classes, n))
    ]


def as_idx(array):
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def as_tar(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def as_zip(members, compression=zipfile.ZIP_STORED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)  # with a fixed date
    return packed.getvalue()


def as_ppm(image):
    return b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes()


def as_signs(x_train, y_train, x_test, y_test):
    """The three archives of the German road signs, with more beside the images than is needed, as they have it."""
    folder, rows = "GTSRB/Final_Training/Images", ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    train, test = {"GTSRB/Readme-Images.txt": "read me", f"{folder}/00000/GT-00000.csv": rows[0]}, {}
    order = np.argsort(y_train, kind="stable")
    for i, (x, y) in enumerate(zip(x_train[order], y_train[order], strict=True)):
        train[f"{folder}/{y:05}/{i // 30:05}_{i % 30:05}.ppm"] = as_ppm(x)
    for i, (x, y) in reversed(list(enumerate(zip(x_test, y_test, strict=True)))):
        test[f"GTSRB/Final_Test/Images/{i:05}.ppm"] = as_ppm(x)
        rows.append(f"{i:05}.ppm;32;32;5;5;27;27;{y}")
    test["GTSRB/Final_Test/Images/GT-final_test.test.csv"] = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2"
    return {
        "GTSRB_Final_Training_Images.zip": as_zip(train),
        "GTSRB_Final_Test_Images.zip": as_zip(test),
        "GTSRB_Final_Test_GT.zip": as_zip({"GT-final_test.csv": "\r\n".join(rows)}),
    }


def as_published(name, arrays):
    """The same arrays as the files that a host offers."""
    if name == "gtsrb":
        return as_signs(*arrays)
    if name != "cifar10":
        return {file: gzip.compress(as_idx(array)) for file, array in zip(download.HASHES[name], arrays, strict=True)}
    train, test = (
        np.concatenate([y[:, None], x.transpose(0, 3, 1, 2).reshape(len(x), -1)], 1)
        for x, y in (arrays[:2], arrays[2:])
    )
    members = {f"data_batch_{i + 1}.bin": part.tobytes() for i, part in enumerate(np.array_split(train, 5))}
    return {"cifar-10-binary.tar.gz": gzip.compress(as_tar(members | {"test_batch.bin": test.tobytes()}))}


def same(dataset, arrays):
    """Whether `dataset` holds exactly `arrays`, scaled and in N x C x H x W."""
    x_train, y_train, x_test, y_test = arrays
    for split, x, y in (dataset.train, x_train, y_train), (dataset.test, x_test, y_test):
        x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
        assert split.x.dtype == torch.float32 and split.y.dtype == torch.int64
        assert split.x.device.type == split.y.device.type == data.device().type
        assert split.x.is_contiguous()
        assert np.array_equal(split.x.cpu().numpy(), x.astype(np.float32) / np.float32(255))
        assert np.array_equal(split.y.cpu().numpy(), y)
    return True


# ---------------------------------------------------------------- inside scikit-learn


def digest(*tensors):
    return hashlib.sha256(b"".join(t.cpu().numpy().tobytes() for t in tensors)).hexdigest()[:16]


def test_digits_are_the_real_ones_in_a_fixed_stratified_split():
    from sklearn.datasets import load_digits

    digits, source = load("digits"), load_digits()
    assert digits.train.x.shape == (1400, 1, 8, 8) and digits.test.x.shape == (397, 1, 8, 8)
    ours = torch.cat([digits.train.x, digits.test.x]).cpu().numpy(), torch.cat([digits.train.y, digits.test.y]).tolist()
    theirs = (source.images[:, None] / 16).astype(np.float32), source.target.tolist()
    ours, theirs = ({(x.tobytes(), y) for x, y in zip(*pair, strict=True)} for pair in (ours, theirs))
    assert ours == theirs and len(ours) == 1797  # all are there, none in both splits
    share = digits.test.y.cpu().bincount().numpy() / np.bincount(source.target)
    assert share.min() > 0.215 and share.max() < 0.227  # 397 / 1,797 = 0.221
    assert digits.eps == 0.15 and digits.classes == tuple("0123456789")
    assert digest(*digits.train, *digits.test) == "5343ca213f65d0b2"  # the split every measured figure rests on


def test_the_file_of_digits_is_what_scikit_learn_gives():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=397, random_state=0, stratify=y)
    for split, images, labels in zip(load("digits")[1:3], (x_train, x_test), (y_train, y_test), strict=True):
        assert torch.equal(split.x.cpu(), torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16)
        assert torch.equal(split.y.cpu(), torch.tensor(labels))


@pytest.mark.slow
def test_the_digits_need_no_scikit_learn():
    """Its import takes most of a second, and each submission that loads them would wait for it."""
    source = "import sys; from utils.data import load; load('digits'); sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=True)


def test_tumors_are_scaled_by_the_training_split_alone():
    from sklearn.datasets import load_breast_cancer

    tumors, source = load("tumors"), load_breast_cancer()
    assert tumors.train.x.dtype == torch.float32 and tumors.train.y.dtype == torch.int64
    x_train, y_train, x_test, y_test = (tensor.cpu() for split in (tumors.train, tumors.test) for tensor in split)
    assert x_train.shape == (400, 30) and x_test.shape == (169, 30)
    assert (x_train.amin(0) == 0).all() and (x_train.amax(0) == 1).all()
    assert x_test.min() >= 0 and x_test.max() <= 1
    assert (x_test == 1).any() or (x_test == 0).any()  # the clamp had work to do
    assert tumors.classes == tuple(source.target_names) == ("malignant", "benign")
    assert (y_train.bincount() + y_test.bincount()).tolist() == np.bincount(source.target).tolist()
    assert abs(float(y_train.float().mean() - y_test.float().mean())) < 0.01
    assert tumors.eps == 0.05
    assert digest(y_train, y_test) == "0e40355fdc1856c4"


def test_the_name_is_the_argument_else_the_variable_else_digits(monkeypatch):
    assert load().name == "digits"
    monkeypatch.setenv("COURSE_DATASET", "tumors")
    assert load().name == "tumors"
    assert load("digits").name == "digits"
    monkeypatch.setenv("COURSE_DATASET", "")
    assert load().name == "digits"


@pytest.mark.parametrize("name", ["minst", "MNIST", "../mnist"])
def test_a_wrong_name_is_answered_with_the_right_ones(name, monkeypatch):
    names = "digits, tumors, credit, mnist, fashion, cifar10, olivetti, gtsrb"
    sentence = f"^there is no data set {name!r}: choose one of {names}$"
    with pytest.raises(ValueError, match=sentence):
        load(name)
    monkeypatch.setenv("COURSE_DATASET", name)
    with pytest.raises(ValueError, match=sentence):
        load()


def test_what_a_notebook_shows_is_one_line():
    assert repr(load("digits")) == (
        "digits: 1,400 training and 397 test examples of 1 x 8 x 8 in [0, 1], 10 classes, eps 0.15"
    )
    assert repr(load("tumors").test) == "Split of 169 examples: x float32 (169, 30), y int64 (169,)"


@given(size=st.integers(1, 60_000), n=st.integers(1, 60_000))
@settings(max_examples=200, deadline=None)
def test_take_gives_distinct_evenly_spaced_examples(size, n):
    index = Split(torch.arange(size), torch.arange(size)).take(n).x
    assert len(index) == min(n, size) and index[0] == 0
    steps = index.diff()
    assert len(steps) == 0 or (steps.min() >= 1 and steps.max() - steps.min() <= 1 and index[-1] == size - 1)


def test_take_counts_where_float32_would_repeat_itself():
    assert len(set(Split(torch.arange(50_000), torch.arange(50_000)).take(49_993).x.tolist())) == 49_993


def test_chunks_are_the_tensors_again():
    x, y = torch.randn(601, 2), torch.arange(601)
    pieces = list(chunks(x, y))
    assert [len(piece) for piece, _ in pieces] == [250, 250, 101]
    assert torch.equal(torch.cat([a for a, _ in pieces]), x) and torch.equal(torch.cat([b for _, b in pieces]), y)
    with pytest.raises(ValueError):
        list(chunks(x, y[:250]))


# ---------------------------------------------------------------- COURSE_DATA: real images, and hostile ones


@pytest.fixture(scope="module")
def real(real_data):
    return real_data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "eps", "mean", "labels"),
    [
        # published training means (0.1307; 0.4914, 0.4822, 0.4465), and how many test images each class has
        ("mnist", 0.3, [0.1307], [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        ("cifar10", 8 / 255, [0.4914, 0.4822, 0.4465], [1000] * 10),
        ("olivetti", 8 / 255, None, [3] * 40),
    ],
)
def test_real_images_load_as_they_are(real, monkeypatch, name, eps, mean, labels):
    monkeypatch.setenv("COURSE_DATA", str(real))
    dataset = load(name)
    with np.load(real / f"{name}.npz") as arrays:
        last = [arrays[field][-1000:] for field in FIELDS]  # comparing all would take longer than loading
    train, test = (Split(*(tensor[-1000:] for tensor in split)) for split in (dataset.train, dataset.test))
    assert same(dataset._replace(train=train, test=test), last)
    assert dataset.eps == eps and len(dataset.classes) == len(labels)
    assert dataset.test.y.bincount().tolist() == labels
    if mean:
        assert torch.allclose(dataset.train.x.mean((0, 2, 3)).cpu(), torch.tensor(mean), atol=5e-4)
    if name == "mnist":
        assert dataset.train.y[:5].tolist() == [5, 0, 4, 1, 9] and dataset.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    if name == "olivetti":
        assert dataset.classes[:2] == ("person 00", "person 01")


def given_npz(monkeypatch, tmp_path, name="mnist", **arrays):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    np.savez(tmp_path / f"{name}.npz", **arrays)
    return tmp_path / f"{name}.npz"


def test_course_data_comes_before_any_download_and_yields_where_it_has_no_file(site, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert same(load("mnist"), site.arrays["mnist"])
    other = images(seed=1)
    given_npz(monkeypatch, tmp_path, **dict(zip(FIELDS, other, strict=True)))
    asked = len(site.canonical.asked)
    assert same(load("mnist"), other)
    assert load("digits").name == "digits"  # needs no file
    assert len(site.canonical.asked) == asked


def test_color_images_get_their_channels_first(monkeypatch, tmp_path):
    arrays = images((20, 10), (32, 32, 3))
    given_npz(monkeypatch, tmp_path, "cifar10", **dict(zip(FIELDS, arrays, strict=True)))
    assert same(load("cifar10"), arrays)


def test_course_data_must_be_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "typo"))
    sentence = f"^COURSE_DATA names {tmp_path}/typo, which is not a folder: correct it or unset it$"
    with pytest.raises(FileNotFoundError, match=sentence):
        load("mnist")


def test_faces_are_not_on_the_network(monkeypatch, tmp_path):
    sentence = "^olivetti cannot be downloaded: set COURSE_DATA to a folder that holds olivetti.npz$"
    with pytest.raises(FileNotFoundError, match=sentence):
        load("olivetti")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=sentence):
        load("olivetti")


class Exploit:
    def __reduce__(self):
        return exec, ("import builtins; builtins.exploited = True",)


def one_sentence(caught, path=None):
    """One line, one exception, no other traceback above it."""
    error = caught.value
    assert "\n" not in str(error) and len(str(error)) < 400
    assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
    assert path is None or str(path) in str(error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x_train": np.array([Exploit()], dtype=object)}, "allow_pickle"),
        ({"y_test": None}, "y_test"),
        ({"x_train": np.zeros((60, 28, 28), np.float32)}, "images are float32"),
        ({"x_train": np.zeros((60, 32, 32), np.uint8)}, r"not uint8 of shape \(N, 28, 28\)"),
        ({"x_train": np.zeros((60, 14, 28), np.uint8)}, r"not uint8 of shape \(N, 28, 28\)"),
        ({"x_test": np.zeros((20, 28, 28, 3), np.uint8)}, r"not uint8 of shape \(N, 28, 28\)"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, np.uint8)}, r"shape \(0, 28, 28\)"),
        ({"x_test": np.uint8(3)}, r"shape \(\)"),
        ({"y_train": np.zeros(59, np.uint8)}, "not 60 integers"),
        ({"y_train": np.zeros((60, 1), np.uint8)}, "not 60 integers"),
        ({"y_train": np.zeros(60, np.float32)}, "labels are float32"),
        ({"y_train": np.full(60, 10)}, "from 10 to 10, not from 0 to 9"),
        ({"y_test": np.arange(20) % 2 - 1}, "from -1 to 0, not from 0 to 9"),
    ],
)
def test_a_bad_archive_gets_one_sentence(monkeypatch, tmp_path, change, reason):
    arrays = dict(zip(FIELDS, images(), strict=True)) | change
    path = given_npz(monkeypatch, tmp_path, **{field: array for field, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=reason) as caught:
        load("mnist")
    one_sentence(caught, path)
    assert str(caught.value).endswith("replace it or take it out of the folder")
    assert not hasattr(builtins, "exploited")


def zip_of(**members):
    """The bytes of a .npz file with these .npy members."""
    compression = zipfile.ZIP_STORED if len(members) == 4 else zipfile.ZIP_DEFLATED
    return as_zip({f"{name}.npy": content for name, content in members.items()}, compression)


def npy(array, shape=None):
    """The bytes of a .npy file, whose header may claim another shape."""
    packed = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape or array.shape}
    np.lib.format.write_array_header_1_0(packed, header)
    return packed.getvalue() + array.tobytes()


FINE = dict(zip(FIELDS, map(npy, images()), strict=True))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>Please log in</html>", id="page"),
        pytest.param(zip_of(**FINE)[:-100], id="cut"),
        pytest.param(zip_of(**FINE).replace(FINE["y_test"][-20:], bytes(20)), id="flipped"),
        pytest.param(FINE["x_train"], id="one-array"),
        pytest.param(pickle.dumps(Exploit()), id="pickle"),
        pytest.param(zip_of(**FINE | {"x_train": b"hello"}), id="no-numpy-inside"),
        pytest.param(zip_of(**FINE | {"x_train": npy(images()[0], (10**11, 28, 28))}), id="header-claims-terabytes"),
        pytest.param(zip_of(**FINE | {"extra": bytes(formats.LIMIT)}), id="bomb"),
    ],
)
def test_a_file_that_is_no_archive_gets_one_sentence(monkeypatch, tmp_path, content):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot use") as caught:
        load("mnist")
    one_sentence(caught, path)
    assert not hasattr(builtins, "exploited")


def test_an_archive_unpacks_when_nothing_is_wrong_with_it(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))  # the control of the cases above: the same bytes, unharmed
    (tmp_path / "mnist.npz").write_bytes(zip_of(**FINE))
    assert same(load("mnist"), images())


def test_the_exploit_is_one():
    try:
        pickle.loads(pickle.dumps(Exploit()))
        assert builtins.exploited
    finally:
        del builtins.exploited


def test_a_folder_in_place_of_the_archive_gets_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "mnist.npz").mkdir()
    with pytest.raises(ValueError, match="cannot use") as caught:
        load("mnist")
    one_sentence(caught)


# ---------------------------------------------------------------- downloads


def honest(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def missing(handler, body):
    handler.send_error(404)


def broken(handler, body):
    handler.send_error(500)


def truncated(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])


def short(handler, body):
    honest(handler, body[: len(body) // 2])


def lying(handler, body):
    honest(handler, body[:-1] + bytes([body[-1] ^ 1]))


def stalled(handler, body):
    truncated(handler, body)
    handler.wfile.flush()
    handler.server.closing.wait(20)


def mute(handler, body):
    handler.server.closing.wait(20)


def endless(handler, body):
    """No length, and more than anyone wants."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(300):
        handler.wfile.write(bytes(2**16))


def slow(handler, body):
    """A piece every twentieth of a second, a hundred pieces."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for piece in range(0, len(body), step := len(body) // 100 + 1):
        handler.wfile.write(body[piece : piece + step])
        if handler.server.closing.wait(0.05):
            return


def nonsense(handler, body):
    handler.wfile.write(b"220 ftp ready\r\n\r\n")


class Host(ThreadingHTTPServer):
    """A web server on 127.0.0.1. It answers honestly, but for the next requests as `answers` says, or always so."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.answers, self.always, self.asked = files, [], honest, []
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that gives up is part of the game


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.pop(0) if self.server.answers else self.server.always
        answer(self, self.server.files[self.path.split("/")[-1]])

    def log_message(self, *words):
        pass


class Site:
    """Two hosts with the same small sets: `canonical` and `mirror`."""

    def __init__(self, monkeypatch, cache):
        self.cache = cache
        self.arrays = {"mnist": images(), "fashion": images(seed=1), "cifar10": images((20, 10), (32, 32, 3), seed=2)}
        x, y, *test = images((60, 20), (32, 32, 3), 43, seed=3)
        order = np.argsort(y, kind="stable")  # as the archive has them, class by class
        self.arrays["gtsrb"] = [x[order], y[order], *test]
        self.files = {name: as_published(name, arrays) for name, arrays in self.arrays.items()}
        self.hashes = {
            name: {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
            for name, files in self.files.items()
        }
        self.canonical, self.mirror = Host({}), Host({})
        monkeypatch.setattr(download, "HASHES", self.hashes)
        self.offer("mnist")
        hosts = (self.canonical.url, self.mirror.url)
        monkeypatch.setattr(download, "HOSTS", dict.fromkeys(self.files, hosts))

    def offer(self, name):
        self.canonical.files = self.mirror.files = self.files[name]

    def publish(self, name, files):
        """Offer one more set, from one host."""
        self.files[name] = files
        self.hashes[name] = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        download.HOSTS[name] = (self.canonical.url,)
        self.offer(name)

    def left(self):
        """The files in the cache."""
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())

    def setup(self):
        """Code that puts these hosts and hashes in place in another process."""
        return f"from utils import download; download.HOSTS, download.HASHES = {download.HOSTS}, {self.hashes};"

    def child(self, code):
        """Another Python process that runs `code`."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", self.setup() + code], cwd=ROOT, **pipes)


@pytest.fixture
def site(monkeypatch, loopback_only, tmp_path):
    site = Site(monkeypatch, tmp_path / "cache")
    yield site
    site.canonical.stop()
    site.mirror.stop()


def test_every_set_has_hosts_and_published_hashes():
    main = {"mnist", "fashion", "cifar10"}  # what lessons run on: each has a mirror
    assert HOSTS.keys() == HASHES.keys() == main | {"gtsrb", "credit", "sms_spam", "ag_news_test"}
    for name, hosts in HOSTS.items():
        assert len({urlsplit(host).netloc for host in hosts}) == len(hosts) >= 1 + (name in main)
        assert all(host.endswith("/") for host in hosts)
        assert name in main or all(host.startswith("https://") for host in hosts)
    hashes = [digest for files in HASHES.values() for digest in files.values()]
    assert len(set(hashes)) == 15
    assert all(re.fullmatch("[0-9a-f]{64}|md5:[0-9a-f]{32}", digest) for digest in hashes)  # SHA-256 or MD5
    assert not any(digest.startswith("md5") for name in main for digest in HASHES[name].values())


@pytest.mark.parametrize("name", ["mnist", "fashion", "cifar10", "gtsrb"])
def test_a_set_is_downloaded_once(site, name, capfd):
    site.offer(name)
    assert same(load(name), site.arrays[name])
    assert [path.lstrip("/") for path in site.canonical.asked] == list(site.files[name])
    assert site.mirror.asked == []
    assert site.left() == sorted(site.files[name])
    site.canonical.stop()
    site.mirror.stop()
    assert same(load(name), site.arrays[name])  # now without any host
    assert capfd.readouterr() == ("", "")


def test_sets_whose_files_have_the_same_names_do_not_mix(site):
    load("mnist")
    site.offer("fashion")
    assert same(load("fashion"), site.arrays["fashion"])
    assert same(load("mnist"), site.arrays["mnist"])


def test_a_published_md5_is_held_too(site, impatient):
    site.offer("gtsrb")
    first = next(iter(site.files["gtsrb"]))
    for file, content in site.files["gtsrb"].items():
        site.hashes["gtsrb"][file] = f"md5:{hashlib.md5(content).hexdigest()}"
    assert same(load("gtsrb"), site.arrays["gtsrb"])
    site.hashes["gtsrb"][first] = f"md5:{'0' * 32}"
    with pytest.raises(ConnectionError, match="sends a wrong file"):
        load("gtsrb")


def test_photographs_of_any_size_are_resized_as_a_whole(site):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 30:] = 255
    site.arrays["gtsrb"] = [wide[None], np.array([7]), wide[None], np.array([42])]
    cached(site, "gtsrb", as_signs(*site.arrays["gtsrb"]))
    signs = load("gtsrb")
    assert signs.train.x.shape == (1, 3, 32, 32) and signs.train.y.tolist() == [7] and signs.test.y.tolist() == [42]
    assert (signs.train.x[..., :14] == 0).all() and (signs.train.x[..., 18:] == 1).all()


@pytest.mark.slow
def test_a_host_that_fails_once_is_asked_again(site):
    site.canonical.answers = [broken]
    assert same(load("mnist"), site.arrays["mnist"])
    assert len(site.canonical.asked) == 5 and site.mirror.asked == []


FAULTS = [
    (missing, "answers HTTP 404"),
    (broken, "answers HTTP 500"),
    (truncated, "breaks off"),
    (short, "sends a wrong file"),
    (lying, "sends a wrong file"),
    (stalled, "is silent"),
    (mute, "is silent"),
    (endless, "sends without end"),
    (nonsense, "cannot be reached"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_the_mirror_steps_in_and_without_it_one_sentence_says_what_to_do(
    site, monkeypatch, capfd, impatient, fault, words
):
    monkeypatch.setattr(download, "LIMIT", 10_000_000)
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    site.canonical.always = site.mirror.always = fault
    with pytest.raises(ConnectionError) as caught:
        load("mnist")
    one_sentence(caught)
    hosts = ", ".join(f"{urlsplit(host.url).netloc} {words}" for host in (site.canonical, site.mirror))
    assert str(caught.value) == (
        f"could not download mnist ({hosts}): check the network connection and load it again, "
        "or set COURSE_DATA to a folder that holds mnist.npz"
    )
    assert site.left() == []
    site.mirror.always = honest
    monkeypatch.setattr(download, "TIMEOUT", 1)
    assert same(load("mnist"), site.arrays["mnist"])
    assert site.left() == sorted(site.files["mnist"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_host_too_slow_is_left_for_its_mirror_but_the_last_one_may_take_its_time(site, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    site.canonical.always = slow
    assert same(load("mnist"), site.arrays["mnist"])
    assert len(site.canonical.asked) == 1 and len(site.mirror.asked) == 4
    monkeypatch.setattr(download, "HOSTS", {"mnist": (site.canonical.url,)})
    (site.cache / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert same(load("mnist"), site.arrays["mnist"])


def test_without_a_network_one_sentence_says_what_to_do(impatient):
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        load("cifar10")
    one_sentence(caught)


def test_a_damaged_file_in_the_cache_is_downloaded_anew(site):
    load("mnist")
    damaged = site.cache / "mnist" / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-50])
    assert same(load("mnist"), site.arrays["mnist"])
    assert len(site.canonical.asked) == 5


def test_the_usual_cache_is_the_systems(site, monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "system" / project)
    assert download.fetch("mnist", "mnist.npz")[0].parent == tmp_path / "system" / "measured-defense" / "mnist"


# Others at the same files: two kernels, a killed one, a full disk. Real processes, no mocks.

FETCH = "print(*download.fetch('mnist', 'mnist.npz'))"


def test_two_kernels_at_once_both_get_the_whole(site):
    meeting = threading.Barrier(2, timeout=30)

    def together(handler, body):
        """Both are in the middle of the same file before either ends."""
        truncated(handler, body)
        meeting.wait()
        handler.wfile.write(body[len(body) // 2 :])

    site.canonical.answers = [together, together]
    children = [site.child(FETCH) for _ in range(2)]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert err == "" and len(out.split()) == 4
    assert not meeting.broken and len(site.canonical.asked) >= 5
    assert site.left() == sorted(site.files["mnist"])
    assert same(load("mnist"), site.arrays["mnist"])


def test_a_kernel_killed_in_the_middle_leaves_nothing_that_is_trusted(site):
    halfway = threading.Event()

    def half(handler, body):
        truncated(handler, body)
        halfway.set()
        handler.server.closing.wait(20)

    site.canonical.answers = [honest, half]
    child = site.child(FETCH)
    assert halfway.wait(30)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)
    (debris,) = set(site.left()) - set(site.files["mnist"])
    assert site.left() == sorted([debris, "train-images-idx3-ubyte.gz"])
    assert same(load("mnist"), site.arrays["mnist"])
    assert debris in site.left()  # it may be another kernel's, at work: kept for an hour
    long_ago = time.time() - 4000
    os.utime(site.cache / "mnist" / debris, (long_ago, long_ago))
    (site.cache / "mnist" / "tmp_notes.txt").write_text("not pooch's")
    os.utime(site.cache / "mnist" / "tmp_notes.txt", (long_ago, long_ago))
    load("mnist")
    assert site.left() == sorted([*site.files["mnist"], "tmp_notes.txt"])


def test_a_full_disk_gets_one_sentence_and_no_half_file(site):
    pytest.importorskip("resource", reason="the system has no limit on file sizes that a test could set")
    # the system itself refuses to let any file of the child grow past 10,000 bytes
    child = site.child("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));" + FETCH)
    out, err = child.communicate(timeout=60)
    assert out == "" and err.count("Traceback") == 1
    assert err.strip().split("\n")[-1] == (
        f"OSError: cannot keep mnist in {site.cache / 'mnist'} (File too large): "
        "make room there, or set COURSE_CACHE to another folder"
    )
    assert site.left() == [] and site.mirror.asked == []
    assert same(load("mnist"), site.arrays["mnist"])


def test_a_cache_that_cannot_be_a_folder_gets_one_sentence(site, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot keep mnist in .*file.mnist \(Not a directory\)") as caught:
        load("mnist")
    one_sentence(caught)
    assert site.canonical.asked == []


# What a learner sees meanwhile.


def slowly(handler, body):
    """An honest answer that takes 2.5 seconds: the bar comes after one."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for piece in range(0, len(body), step := len(body) // 25 + 1):
        handler.wfile.write(body[piece : piece + step])
        time.sleep(0.1)


@pytest.mark.slow
def test_progress_shows_on_a_terminal_and_goes(site, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    site.canonical.answers = [slowly]
    out, err = site.child(FETCH).communicate(timeout=60)
    assert "train-images-idx3-ubyte.gz" in err and "B/s" in err and len(out.split()) == 4
    assert [line.strip() for line in err.splitlines()][-1] == ""  # overwritten with blanks


@pytest.mark.slow
def test_progress_leaves_nothing_in_a_notebook(site, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    site.canonical.answers = [slowly]
    spy = "from utils import progress; drawn = []; write = progress.Line.write"
    spy += "; progress.Line.write = lambda self, text: (drawn.append(text), write(self, text))"
    cells = [
        site.setup(),
        spy,
        "download.fetch('mnist', 'mnist.npz'); None",
        "print(any('B/s' in text for text in drawn))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    *quiet, shown = (cell.outputs for cell in notebook.cells)
    assert shown[0]["text"] == "True\n"  # it was drawn ...
    assert all(output["data"] == {"text/plain": ""} for outputs in quiet for output in outputs)  # ... and is gone


# Files with the right hash and wrong contents: the last line of defense.


def cached(site, name, files):
    """Put `files` into the cache as if their hashes had been published."""
    folder = site.cache / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
        site.hashes[name][file] = hashlib.sha256(content).hexdigest()


packed = partial(gzip.compress, mtime=0)  # a time would give each worker other names to collect


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "Not a gzipped file"),
        (packed(as_idx(images()[0]))[:-20], "end-of-stream"),
        (packed(b""), "range"),
        (packed(as_idx(images()[0])[:6]), "buffer"),
        (packed(as_idx(images()[0])[:-1]), "not in IDX format"),
        (packed(as_idx(images()[0]) + b"0"), "not in IDX format"),
        (packed(b"\0\0\x0b" + as_idx(images()[0])[3:]), "not in IDX format"),
        (packed(bytes((0, 0, 8, 255)) + bytes(99)), "buffer"),
        (packed(bytes((0, 0, 8, 3)) + b"\xff" * 12), "not in IDX format"),
        (packed(as_idx(images((5, 5), (9, 9))[0])), "not uint8 of shape"),
        (packed(as_idx(images((59, 5))[0])), "not 59 integers"),
        (packed(bytes(2_000_001)), "unpacks to more than 2,000,000 bytes"),
    ],
)
def test_a_hostile_idx_file_gets_one_sentence(site, monkeypatch, content, reason):
    monkeypatch.setattr(formats, "LIMIT", 2_000_000)
    cached(site, "mnist", site.files["mnist"] | {"train-images-idx3-ubyte.gz": content})
    with pytest.raises(ValueError, match=reason) as caught:
        load("mnist")
    one_sentence(caught, site.cache / "mnist")
    assert str(caught.value).endswith("delete it and load the data set again")


BATCHES = {f"data_batch_{i}.bin": bytes(3073) for i in range(1, 6)} | {"test_batch.bin": bytes(3073)}


def tar_with_link(target):
    packed = io.BytesIO(as_tar({name: content for name, content in BATCHES.items() if name != "test_batch.bin"}))
    with tarfile.open(fileobj=packed, mode="a") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot use"),
        (as_tar({"data_batch_1.bin": bytes(3073)}), "data_batch_2.bin.* not found"),
        (as_tar(BATCHES | {"data_batch_3.bin": bytes(3072)}), "cannot reshape"),
        (as_tar(BATCHES | {"test_batch.bin": b"\x0a" + bytes(3072)}), "from 10 to 10, not from 0 to 9"),
        (as_tar(BATCHES | {"test_batch.bin": b""}), "not uint8 of shape"),
        (as_tar(BATCHES)[:10_000], "cannot use"),
        (gzip.compress(as_tar(BATCHES)), "cannot use"),  # packed twice, as a bomb may be
        (tar_with_link("test_batch.bin"), "cannot use"),
        (tar_with_link("/etc/passwd"), "not found"),
        (as_tar(BATCHES | {"big.bin": bytes(2_000_000)}), "unpacks to more than 2,000,000 bytes"),
    ],
)
def test_a_hostile_tar_gets_one_sentence(site, monkeypatch, content, reason):
    monkeypatch.setattr(formats, "LIMIT", 2_000_000)
    cached(site, "cifar10", {"cifar-10-binary.tar.gz": gzip.compress(content)})
    with pytest.raises(ValueError, match=reason) as caught:
        load("cifar10")
    one_sentence(caught, site.cache / "cifar10")


def test_a_tar_loads_when_nothing_is_wrong_with_it(site):
    cached(site, "cifar10", {"cifar-10-binary.tar.gz": gzip.compress(as_tar(BATCHES))})
    assert load("cifar10").train.x.shape == (5, 3, 32, 32)


SIGNS = images((2, 1), (32, 32, 3), 43)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("GTSRB_Final_Training_Images.zip", b"no archive", "not a zip"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"readme.txt": "nothing else"}), "at least one array"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/x/1.ppm": as_ppm(SIGNS[0][0])}), "invalid literal"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/00043/1.ppm": as_ppm(SIGNS[0][0])}), "not from 0 to 42"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/00001/1.ppm": b"P6 9000 9000 255 "}), "9000 x 9000"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/00001/1.ppm": b"P6 32 32 255 short"}), "cannot use"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/00001/1.ppm": b"\x89PNG\r\n\x1a\n"}), "cannot identify"),
        ("GTSRB_Final_Training_Images.zip", as_zip({"a/00001/1.ppm": bytes(20_001)}), "more than 20,000 bytes"),
        ("GTSRB_Final_Test_GT.zip", as_zip({"GT-final_test.csv": "Filename;ClassId\n00009.ppm;1"}), "00000.ppm"),
        ("GTSRB_Final_Test_GT.zip", as_zip({"GT-final_test.csv": "no;header"}), "cannot use"),
    ],
)
def test_hostile_archives_of_signs_get_one_sentence(site, monkeypatch, file, content, reason):
    monkeypatch.setattr(formats, "LIMIT", 2_000_000)
    cached(site, "gtsrb", as_signs(*SIGNS) | {file: content})
    with pytest.raises(ValueError, match=reason) as caught:
        load("gtsrb")
    one_sentence(caught, site.cache / "gtsrb")


# ---------------------------------------------------------------- payments


def as_payments(rows=1100):
    """A file like the published one: a header, `rows` payments, the class in quotes."""
    rng = np.random.default_rng(0)
    numbers = np.column_stack([np.arange(rows) // 2, rng.normal(size=(4, 28))[np.arange(rows) % 4], np.arange(rows)])
    lines = [",".join(f"{value:g}" for value in row) + f',"{int(i % 600 == 0)}"' for i, row in enumerate(numbers)]
    return "\n".join(['"Time",...,"Amount","Class"', *lines]).encode()


def test_payments_are_split_in_time_and_scaled_by_the_training_rows(site, monkeypatch, tmp_path):
    monkeypatch.setattr(formats, "LATER", 1000)
    rows = as_payments()
    site.publish("credit", {"creditcard.csv": rows})
    credit = load("credit")
    assert credit.train.x.shape == (100, 29) and credit.test.x.shape == (1000, 29)
    assert credit.train.x.dtype == torch.float32 and 0 <= credit.test.x.min() and credit.test.x.max() <= 1
    assert credit.train.y.nonzero().flatten().tolist() == [0] and credit.test.y.nonzero()[0].item() == 500
    amount = credit.train.x[:, -1].cpu()  # 0 ... 99: all but the first and the last lie inside
    assert amount[0] == 0 and amount[-1] == 1 and (amount.diff() > 0).all() and (credit.test.x[:, -1] == 1).all()
    assert credit.classes == ("honest", "fraud")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "credit.csv").write_bytes(rows)
    site.canonical.stop()
    assert torch.equal(load("credit").train.x, credit.train.x)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot use"),
        (b"header\n1,2,3\n", "not 31 in each of more than 1,000 rows"),
        (b"header\n" + b"0," * 30 + b"fish\n", "fish"),
        (as_payments().replace(b'"1"', b'"2"', 1), "not 0 or 1"),
        (as_payments().replace(b",0,", b",nan,", 1), "not 31 in each"),
    ],
    ids=["empty", "narrow", "words", "classes", "nan"],
)
def test_a_bad_file_of_payments_gets_one_sentence(monkeypatch, tmp_path, content, reason):
    monkeypatch.setattr(formats, "LATER", 1000)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (tmp_path / "credit.csv").write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        load("credit")
    one_sentence(caught, tmp_path / "credit.csv")


# ---------------------------------------------------------------- texts


def test_texts_are_downloaded_checked_and_kept(site, impatient):
    lines = "".join(f'{("ham", "spam")[i % 2]}\tmessage\x85 {i} "and a tab\t here\n' for i in range(3100))
    packed = as_zip({"SMSSpamCollection": lines, "readme": "read me"})
    site.publish("sms_spam", {"sms+spam+collection.zip": packed})
    sms = load_texts("sms_spam")
    assert len(sms.train.y) == 3000 and len(sms.test.y) == 100 and sms.classes == ("ham", "spam")
    assert sms.said[0][0] == "message" and sms.said[0][2:] == ["and", "a", "tab", "here"]
    site.canonical.stop()
    assert torch.equal(load_texts("sms_spam").test.x, sms.test.x)  # now without the host
    (site.cache / "sms_spam" / "sms+spam+collection.zip").write_bytes(b"damaged")
    with pytest.raises(ConnectionError, match=r"or set COURSE_DATA to a folder that holds sms_spam\.csv"):
        load_texts("sms_spam")


# ---------------------------------------------------------------- whatever may come


@given(flips=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255)), max_size=9), cut=st.integers(0, 10**9))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["npz", "mnist", "cifar10"])
def test_whatever_bytes_are_flipped_a_set_is_sound_or_refused(site, monkeypatch, tmp_path, name, flips, cut):
    monkeypatch.setattr(formats, "LIMIT", 2_000_000)
    whole = {"npz": zip_of(**FINE), "mnist": as_idx(images()[0]), "cifar10": as_tar(BATCHES)}[name]
    content = bytearray(whole)
    for place, value in flips:
        # half of them into the first kilobyte, where headers are
        content[place % (len(content) if place % 2 else 1024)] = value
    content = bytes(content[: cut % len(content)] if cut % 3 == 0 else content)
    if name == "npz":
        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        (tmp_path / "mnist.npz").write_bytes(content)
    else:
        file = next(iter(site.files[name]))
        cached(site, name, site.files[name] | {file: gzip.compress(content, 1)})
    try:
        dataset = load("cifar10" if name == "cifar10" else "mnist")
    except ValueError as problem:
        assert str(problem).startswith("cannot use") and "\n" not in str(problem)
    else:
        for x, y in (dataset.train, dataset.test):
            assert len(x) == len(y) > 0 and x.min() >= 0 and x.max() <= 1 and y.min() >= 0 and y.max() <= 9
