"""One child: how it is started, what it may use, and how it ends.

With bubblewrap the child has no network and can write nowhere but in its own folder. Of the course it sees only what is
in MOUNTED. It has process, user and message spaces of its own: when its first process ends, all others end. Without
bubblewrap there are still the limits, an empty folder, an environment without secrets, and a session of its own.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

from grader.inside import wire

COURSE = Path(__file__).resolve().parents[1]
MOUNTED = ("utils", "grader/inside")  # all that the child sees of the course: what lessons import, and its own code
MB = 1_000_000
LIMITS = {
    "memory": 6_000 * MB,  # address space of one process; torch for CUDA maps 3.3 GB of it, training takes 1 GB
    "cpu": 180,  # seconds of processor time of one process
    "file": 50 * MB,  # the largest file
    "folder": 100 * MB,  # its private folder, which lies in memory
    "processes": 64,  # with threads
    "start": 60,  # seconds on the clock until it answers at all
    "cell": 60,  # seconds on the clock, for one cell
    "call": 30,  # seconds on the clock, for one call
    "all": 300,  # seconds on the clock, for everything
    "output": 20_000,  # characters of its output that are kept
}


class Ended(Exception):
    """The child is gone, and why, in words for the student. `alone`: it ended by itself; another may do better."""

    def __init__(self, why: str, alone: bool = False):
        super().__init__(why)
        self.alone = alone


class Child:
    """A running child. Ask it; once `Ended` has been raised it is gone."""

    def __init__(self, limits: dict = LIMITS):
        self.limits, self.asked = limits, 0
        self.folder = tempfile.TemporaryDirectory(prefix="answers-", ignore_cleanup_errors=True)
        down_read, self.down = os.pipe()
        self.up, up_write = os.pipe()
        os.set_blocking(self.down, False)
        os.set_blocking(self.up, False)
        inside = bool(bubblewrap())
        user = 60_000 + os.getpid() % 5_000 if os.getuid() == 0 and (inside or open_to_all()) else 0
        if user and not inside:
            os.chown(self.folder.name, user, user)
        told = {"user": user, "alone": inside or user, "resources": child_limits(limits)}
        course = "/course" if inside else str(COURSE)
        runner = [sys.executable, "-P", "-m", "grader.inside.child", str(down_read), str(up_write), json.dumps(told)]
        self.process = subprocess.Popen(
            [*bubblewrap_command(limits["folder"]), *runner] if inside else runner,
            cwd="/" if inside else self.folder.name,
            env=child_environment(course, "/tmp" if inside else self.folder.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(down_read, up_write),
            start_new_session=True,
        )
        os.close(down_read)
        os.close(up_write)
        self.output = bytearray()
        self.drain = threading.Thread(target=self._drain, daemon=True)
        self.drain.start()

    def _drain(self) -> None:
        """Read what the child prints, so that it never waits for us, and keep the beginning."""
        while piece := self.process.stdout.read1(1 << 16):
            self.output += piece[: max(self.limits["output"] - len(self.output), 0)]

    def ask(self, request: dict, seconds: float, down=wire.describe, up=None) -> dict:
        """The child's reply {"ok": …} or {"error": …}. Raises `Ended`; the child has then been killed.

        seconds   on the clock, for sending, work and reply
        down, up  what to make of values that are not plain, as in `wire.pack` and `wire.unpack`
        """
        self.asked += 1
        alone = False
        deadline = time.monotonic() + seconds
        try:
            wire.send(self.down, wire.pack(request | {"id": self.asked}, down), deadline)
            reply = wire.unpack(*wire.receive(self.up, deadline), up)
            if not is_reply(reply, self.asked):
                raise wire.Garbled("the answer is to another question")
            return reply
        except wire.TimedOut:
            reason = f"took longer than {seconds:.0f} s and was stopped"
        except wire.Closed:
            reason, alone = "ended its process" + self._how(), True
        except wire.Garbled as problem:
            reason = f"gave an answer that cannot be read: {problem}"
        self.kill()
        raise Ended(reason, alone)

    def kill(self) -> None:
        """End the child and all that it has started, and wait for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.drain.join(1)  # without bubblewrap an escaped grandchild may hold the pipe
        for end in (self.down, self.up):
            os.close(end)
        self.folder.cleanup()

    def _how(self) -> str:
        """How a child has ended that closed its pipes, as far as its exit code tells."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(0.5)
            number = -code if code < 0 else code - 128
            names = {signal.SIGKILL: " (out of processor time or memory)", signal.SIGXCPU: " (out of processor time)"}
            if number > 0:
                return names.get(number, f" (signal {number})")
        return ""


def is_reply(reply: object, number: int) -> bool:
    """Whether this answers the request of that number. A hostile child may have sent any value: even `==` may fail."""
    if not isinstance(reply, dict) or not {"ok", "error"} & reply.keys():
        return False
    told = reply.get("id")
    return type(told) is int and told == number


def open_to_all() -> bool:
    """Whether another user can reach this Python and the course. Root's home, for one, is closed."""
    places = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix, COURSE / "utils", COURSE / "grader")]
    return all(part.stat().st_mode & 0o005 == 0o005 for place in places for part in (place, *place.parents))


def child_limits(limits: dict) -> dict[str, int]:
    """The limits that the child sets for itself, so that its processes are counted apart from ours."""
    return {
        "AS": limits["memory"],
        "CPU": limits["cpu"],
        "FSIZE": limits["file"],
        "NPROC": limits["processes"],
        "NOFILE": 256,
        "CORE": 0,
    }


def child_environment(course: str, home: str) -> dict[str, str]:
    """The child's environment variables, none of the teacher's. One thread: other cores are for other submissions."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "PYTHONPATH": course,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "TQDM_DISABLE": "1",
    }


def bubblewrap_command(folder: int) -> list[str]:
    """The bubblewrap command before the child's own."""
    system = [part for part in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache") if os.path.exists(part)]
    packages = [part for part in sys.path if part.endswith(("site-packages", "dist-packages")) and os.path.isdir(part)]
    python = {part for prefix in (sys.prefix, sys.base_prefix) for part in (prefix, str(Path(prefix).resolve()))}
    python |= {part for part in packages if not any(Path(part).is_relative_to(prefix) for prefix in python)}
    command = ["bwrap", "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--new-session", "--hostname", "sandbox"]
    if os.getuid() != 0:  # root has no need of a user space; the child becomes nobody instead
        command += ["--unshare-user", "--disable-userns"]
    command += ["--perms", "1777", "--size", str(folder), "--tmpfs", "/tmp"]  # first: Python may lie below it
    shown = {part: part for part in [*system, *sorted(python)]} | {
        str(COURSE / part): f"/course/{part}" for part in MOUNTED
    }
    for parent in sorted({str(parent) for place in shown.values() for parent in Path(place).parents} - {"/", "/tmp"}):
        command += ["--perms", "0755", "--dir", parent]  # else only root may pass through it
    for part, place in shown.items():
        command += ["--ro-bind", part, place]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", str(folder), "--tmpfs", "/dev/shm"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


@cache
def bubblewrap() -> str:
    """The path of a bubblewrap that works here, or "" (as where COURSE_BUBBLEWRAP=0 says not to use it)."""
    path = shutil.which("bwrap") if os.environ.get("COURSE_BUBBLEWRAP") != "0" else None
    if not path:
        return ""
    command = [*bubblewrap_command(MB), sys.executable, "-c", "pass"]
    works = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return path if works.returncode == 0 else ""
