"""`fetch(name)`: the published files of a data set, downloaded once, checked against published hashes.

Pooch keeps them: each goes to a temporary file that gets its name only once its hash is right, so a broken
transfer, a killed kernel or two kernels at once never leave a bad file that a later call would trust.
"""

import os
import re
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from utils.progress import progress

LIMIT = 300_000_000  # bytes in one file; the largest here has 276 million
TIMEOUT = 15  # seconds without a byte until a host is given up
PATIENCE = 15  # seconds after which a host that has a mirror must have sent at least ...
SLOWEST = 100_000  # bytes a second (CIFAR-10's own server has been sending fewer since June 2026: pytorch/vision#9536)

# The authors' host first, then mirrors where there are any. None of them is trusted: the hashes decide.
HOSTS = {
    "mnist": (
        "http://yann.lecun.com/exdb/mnist/",  # often refuses
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's, as in torchvision
        "https://storage.googleapis.com/cvdf-datasets/mnist/",  # as in TensorFlow Datasets
    ),
    "fashion": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    "cifar10": (
        "https://www.cs.toronto.edu/~kriz/",
        "https://storage.googleapis.com/mirror.tensorflow.org/www.cs.toronto.edu/~kriz/",  # TensorFlow's mirror
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",  # as in MindSpore's tutorials
    ),
    "gtsrb": ("https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/",),
    "credit": (
        "https://zenodo.org/records/7395559/files/",
        "https://storage.googleapis.com/download.tensorflow.org/data/",  # as in TensorFlow's tutorials
    ),
    "sms_spam": ("https://archive.ics.uci.edu/static/public/228/",),
    "ag_news_test": ("https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",),
}

# The order is the readers': training images and labels, test images and labels; or one archive. SHA-256, or MD5 where
# no other is published: a host can hardly make another file with the MD5 of a file that it did not make itself.
# From github.com: tensorflow/datasets, tensorflow_datasets/url_checksums (mnist, fashion, cifar10); pytorch/vision,
# torchvision/datasets/gtsrb.py (gtsrb's test; its training images' MD5 stands alike in six unrelated repositories);
# JuliaML/MLDatasets.jl (sms_spam); pytorch/text (ag_news_test). From zenodo.org/records/7395559: credit.
HASHES = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion": {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    "cifar10": {  # the binary version: the Python one is a pickle, which can run code
        "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
    "gtsrb": {
        "GTSRB_Final_Training_Images.zip": "md5:f33fd80ac59bff73c82d25ab499e03a3",
        "GTSRB_Final_Test_Images.zip": "md5:c7e4e6327067d32654124b0fe9e82185",
        "GTSRB_Final_Test_GT.zip": "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5",
    },
    "credit": {"creditcard.csv": "md5:e90efcb83d69faf99fcab8b0255024de"},
    "sms_spam": {"sms+spam+collection.zip": "1587ea43e58e82b14ff1f5425c88e17f8496bfcdb67a583dbff9eefaf9963ce3"},
    "ag_news_test": {"test.csv": "md5:d52ea96a97a2d943681189a97654912d"},
}

pooch.get_logger().setLevel("WARNING")  # or its line about each file would stay in the notebook


def obtain(name: str, file: str) -> list[Path]:
    """Where `name` is: [COURSE_DATA/`file`] if there is such a file, else the published files, downloaded if need be.

    Raises FileNotFoundError if COURSE_DATA names no folder, or if there is no such file and `name` has no host; and as
    `fetch` does.
    """
    folder = os.environ.get("COURSE_DATA")
    path = Path(folder or "").expanduser() / file
    if folder and not path.parent.is_dir():
        raise FileNotFoundError(f"COURSE_DATA names {folder}, which is not a folder: correct it or unset it")
    if folder and path.exists():
        return [path]
    if name not in HOSTS:
        raise FileNotFoundError(f"{name} cannot be downloaded: set COURSE_DATA to a folder that holds {file}")
    return fetch(name, file)


def fetch(name: str, file: str) -> list[Path]:
    """The files of `name`, in the order of `HASHES[name]`, from the cache or from the first host that sends them all.

    `file` is what COURSE_DATA may hold instead, for the error's words. The cache is COURSE_CACHE, or the system's usual
    place for caches. Raises ConnectionError if every host fails and OSError if the files cannot be stored, each with
    one sentence that says what to do.
    """
    folder = Path(os.environ.get("COURSE_CACHE") or pooch.os_cache("measured-defense")).expanduser() / name
    faults = []
    for host in HOSTS[name]:
        cache = pooch.create(folder, base_url=host, registry=HASHES[name], retry_if_failed=1)
        attempt = partial(_attempt, slowest=0 if host == HOSTS[name][-1] else SLOWEST)
        try:
            _sweep(folder)
            return [Path(cache.fetch(file, downloader=attempt)) for file in HASHES[name]]
        except (ValueError, TimeoutError, requests.RequestException) as problem:
            faults.append(f"{urlsplit(host).netloc} {_fault(problem)}")
        except OSError as problem:  # all that the network can raise was caught above: this is the disk
            problem = problem.__cause__ or problem  # pooch wraps some of the system's words in its own
            raise OSError(
                f"cannot keep {name} in {folder} ({getattr(problem, 'strerror', None) or problem}): "
                "make room there, or set COURSE_CACHE to another folder"
            ) from None
    raise ConnectionError(
        f"could not download {name} ({', '.join(faults)}): check the network connection and load it again, "
        f"or set COURSE_DATA to a folder that holds {file}"
    )


def _attempt(url: str, path: str, _pooch, *, slowest: float) -> None:
    """One attempt at one file. Pooch calls this, checks the hash, and calls once more if either failed."""
    begun, received = time.monotonic(), 0
    with requests.get(url, stream=True, timeout=TIMEOUT) as answer, open(path, "wb") as file:
        answer.raise_for_status()
        size = int(answer.headers.get("content-length", 0)) or None
        with progress(desc=url.split("/")[-1], total=size, unit="B", unit_scale=True, delay=1) as bar:
            for piece in answer.iter_content(4096):
                bar.update(file.write(piece))
                received += len(piece)
                seconds = time.monotonic() - begun
                if received > LIMIT:
                    raise ValueError("sends without end")
                if seconds > PATIENCE and received < slowest * seconds:
                    raise TimeoutError("is too slow")


def _fault(problem: Exception) -> str:
    """What a host did wrong, in a few words."""
    if isinstance(problem, requests.HTTPError):
        return f"answers HTTP {problem.response.status_code}"
    if "timed out" in str(problem):
        return "is silent"
    if isinstance(problem, requests.exceptions.ChunkedEncodingError):
        return "breaks off"
    if isinstance(problem, requests.RequestException):
        return "cannot be reached"
    return "sends a wrong file" if "hash" in str(problem) else str(problem)


def _sweep(folder: Path) -> None:
    """Remove what killed downloads left: pooch's temporary files that nobody has written to for an hour."""
    for path in folder.glob("tmp*"):
        with suppress(OSError):  # another kernel was first, or the folder is read-only
            if re.fullmatch(r"tmp\w{8}", path.name) and time.time() - path.stat().st_mtime > 3600:
                path.unlink()
