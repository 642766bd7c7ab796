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
import socket
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
WALLS = True  # Landlock and seccomp as well; tests of bubblewrap alone have none
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
# What bubblewrap says where it may make no user namespaces; and settings that forbid them, each with what opens them.
CLOSED = ("uid map: Permission denied", "RTM_NEWADDR: Operation not permitted", "new namespace", "NEWUSER", "clone(")
OPENED = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap {path} flags=(unconfined) {{ userns, }}\\n'"
        " | sudo tee /etc/apparmor.d/bwrap && sudo systemctl reload apparmor",
    ),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
)
WEAKER = """\
WARNING: isolation is WEAKER without bubblewrap. {why}
Each submission still runs with limits, in an empty folder and in a process of its own. {walls}
"""
OTHER_WALLS = {
    True: """\
The kernel's own walls stand ({walls}): of your files it can read Python and what students may see, it can change none,
and it cannot use the network. But it has your user, can ask whether a file exists and, on a kernel older than 6.12, end
your processes. Do not grade as root.""",
    False: """\
But it could read your files, change those that you may change, and use the network. Grade only notebooks that you
trust, and not as root.""",
}
ONE_AT_A_TIME = threading.RLock()  # a cluster's worker may have several threads


class Ended(Exception):
    """The child is gone, and why, in words for the student. `alone`: it ended by itself; another may do better."""

    def __init__(self, why: str, alone: bool = False):
        super().__init__(why)
        self.alone = alone


class Child:
    """A running child. Ask it; once `Ended` has been raised it is gone."""

    def __init__(self, limits: dict = LIMITS, source: "Pristine | None" = None):
        """source: the process that forks it; None: it is a new process"""
        self.limits, self.asked = limits, 0
        down_read, self.down = os.pipe()
        self.up, up_write = os.pipe()
        printed, output = os.pipe()
        os.set_blocking(self.down, False)
        os.set_blocking(self.up, False)
        start = source.fork if source else Started
        self.process = start(limits, down_read, up_write, output)
        for end in (down_read, up_write, output):
            os.close(end)
        self.output = bytearray()
        self.drain = threading.Thread(target=self._drain, args=[printed], daemon=True)
        self.drain.start()

    def _drain(self, printed: int) -> None:
        """Read what the child prints, so that it never waits for us, and keep the beginning."""
        while piece := os.read(printed, 1 << 16):
            self.output += piece[: max(self.limits["output"] - len(self.output), 0)]
        os.close(printed)

    def ask(self, request: dict, seconds: float, down=wire.describe, up=None, oracle=None) -> dict:
        """The child's reply {"ok": …} or {"error": …}. Raises `Ended`; the child has then been killed.

        seconds   on the clock, for sending, work and reply
        down, up  what to make of values that are not plain, as in `wire.pack` and `wire.unpack`
        oracle    oracle(question) -> reply, of plain values: what answers the child's own questions before its reply.
                  The time that it takes is not the child's
        """
        self.asked += 1
        alone = False
        deadline = time.monotonic() + seconds
        try:
            wire.send(self.down, wire.pack(request | {"id": self.asked}, down), deadline)
            reply = wire.unpack(*wire.receive(self.up, deadline), up)
            while oracle and isinstance(reply, dict) and "asks" in reply:
                begin = time.monotonic()
                told = wire.pack(oracle(reply["asks"]))
                deadline += time.monotonic() - begin
                wire.send(self.down, told, deadline)
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
        self.process.end()
        self.drain.join(1)  # without bubblewrap an escaped grandchild may hold the pipe
        for end in (self.down, self.up):
            os.close(end)

    def _how(self) -> str:
        """How a child has ended that closed its pipes, as far as its exit code tells."""
        code = self.process.code(0.5)
        number = -code if code < 0 else code - 128
        names = {signal.SIGKILL: " (out of processor time or memory)", signal.SIGXCPU: " (out of processor time)"}
        return names.get(number, f" (signal {number})") if number > 0 else ""


class Started:
    """A child that is a new process, with a Python of its own."""

    def __init__(self, limits: dict, read: int, write: int, output: int):
        self.folder = tempfile.TemporaryDirectory(prefix="answers-", ignore_cleanup_errors=True)
        inside, user = bool(bubblewrap()), user_of_children()
        if user and not inside:
            os.chown(self.folder.name, user, user)
        told = {"user": user, "alone": inside or user, "resources": child_limits(limits)}
        told["walls"] = wall_places("" if inside else self.folder.name)
        course = "/course" if inside else str(COURSE)
        runner = [sys.executable, "-P", "-m", "grader.inside.child", str(read), str(write), json.dumps(told)]
        self.process = subprocess.Popen(
            [*bubblewrap_command(limits["folder"]), *runner] if inside else runner,
            cwd="/" if inside else self.folder.name,
            env=child_environment(course, "/tmp" if inside else self.folder.name),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(read, write),
            start_new_session=True,
        )

    def code(self, seconds: float) -> int:
        """The exit code, or minus the signal, of a child that ends within some seconds; else 0."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return 0

    def end(self) -> None:
        """End the process and all that it has started, and wait for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()


class Forked:
    """A child that a pristine process has forked. Its keeper is at the other end of the socket `life`."""

    def __init__(self, life: socket.socket):
        self.life, self.told = life, b""

    def code(self, seconds: float) -> int:
        """As of `Started`."""
        self.life.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self.told = self.told or self.life.recv(1)
        return self.told[0] if self.told else 0

    def end(self) -> None:
        """As of `Started`."""
        with contextlib.suppress(OSError):  # the keeper has ended already
            self.life.shutdown(socket.SHUT_WR)
        self.life.settimeout(None)
        while self.life.recv(1):
            pass
        self.life.close()


class Pristine:
    """A process in a sandbox of its own that has imported torch, and forks children: `grader.inside.pristine`."""

    def __init__(self, command: list[str], modules: tuple[str, ...]):
        self.control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inner:
            about = [str(inner.fileno()), str(user_of_children()), *modules]
            self.process = subprocess.Popen(
                [*command, sys.executable, "-P", "-m", "grader.inside.pristine", *about],
                cwd="/",
                env=child_environment("/course", "/tmp"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(inner.fileno(),),
                start_new_session=True,
            )

    def fork(self, limits: dict, read: int, write: int, output: int) -> Forked:
        """A new child. If the process is gone, the child has ended from the beginning."""
        told = {"alone": True, "resources": child_limits(limits), "folder": limits["folder"], "walls": wall_places()}
        ours, keepers = socket.socketpair()
        with keepers, contextlib.suppress(OSError):
            ends = [read, write, output, keepers.fileno()]
            socket.send_fds(self.control, [json.dumps(told).encode()], ends)
        return Forked(ours)

    def close(self) -> None:
        """End the process, and all children."""
        self.control.close()
        self.process.kill()
        self.process.wait()


STARTED: dict[tuple, Pristine | None] = {}  # at most one: by its command, and the process that started it


def pristine(modules: tuple[str, ...] = ()) -> Pristine | None:
    """What forks children here, and has imported these modules; None where it cannot be, and each child must be a new
    process.
    """
    with ONE_AT_A_TIME:
        command = bubblewrap_command(MB, spaces_inside=True) if bubblewrap() else []
        key = (os.getpid(), *command, *modules)
        found = STARTED.get(key)
        if key in STARTED and not (found and found.process.poll() is not None):
            return found
        for other in STARTED.values():
            if other:
                other.close()
        STARTED.clear()
        STARTED[key] = start_pristine(command, modules) if command else None
        return STARTED[key]


def start_pristine(command: list[str], modules: tuple[str, ...]) -> Pristine | None:
    """A pristine process, if a first child of it answers."""
    made = Pristine(command, modules)
    try:
        trial = Child(LIMITS, made)
        trial.ask({"do": "start"}, LIMITS["start"])
        trial.kill()
    except Ended:
        made.close()
        return None
    return made


def walls_here() -> list[str]:
    """The walls around a child that is a new process, by name: what is left without bubblewrap."""
    child = Child()
    try:
        reply = child.ask({"do": "start"}, LIMITS["start"])
    except Ended:
        return []
    child.kill()
    return reply["ok"]["walls"]


def is_reply(reply: object, number: int) -> bool:
    """Whether this answers the request of that number. A hostile child may have sent any value: even `==` may fail."""
    if not isinstance(reply, dict) or not {"ok", "error"} & reply.keys():
        return False
    told = reply.get("id")
    return type(told) is int and told == number


def user_of_children() -> int:
    """Whom root's children become; 0 where they stay the same user."""
    other = os.getuid() == 0 and (bubblewrap() or open_to_all())
    return 60_000 + os.getpid() % 5_000 if other else 0


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
        "PYTHONHASHSEED": "0",  # sets have one order, so that an entry of a challenge can be judged again
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "TORCHINDUCTOR_CACHE_DIR": f"{home}/torchinductor",  # torch sets it at the first optimizer, if nobody has
        "TQDM_DISABLE": "1",
    }


def shown_places() -> dict[str, str]:
    """What children may read of this machine, and where it is in bubblewrap's sandbox."""
    system = [part for part in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache") if os.path.exists(part)]
    packages = [part for part in sys.path if part.endswith(("site-packages", "dist-packages")) and os.path.isdir(part)]
    python = {part for prefix in (sys.prefix, sys.base_prefix) for part in (prefix, str(Path(prefix).resolve()))}
    python |= {part for part in packages if not any(Path(part).is_relative_to(prefix) for prefix in python)}
    return {part: part for part in [*system, *sorted(python)]} | {
        str(COURSE / part): f"/course/{part}" for part in MOUNTED
    }


def wall_places(folder: str = "") -> dict | None:
    """The arguments of `walls.build`, in bubblewrap's sandbox, or in a folder without it; None for no walls."""
    if not WALLS:
        return None
    if not folder:
        readable, writable = [*shown_places().values(), "/course", "/proc"], ["/tmp", "/dev"]
    else:
        readable = [*shown_places(), "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"]
        writable = [folder, *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))]
    return {"readable": readable, "writable": writable, "spaces": not folder}


def bubblewrap_command(folder: int, spaces_inside: bool = False) -> list[str]:
    """The bubblewrap command before the child's own.

    folder         bytes that /tmp may hold, and /dev/shm
    spaces_inside  whether processes in the sandbox may make further spaces (Linux namespaces)
    """
    command = ["bwrap", "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--new-session", "--hostname", "sandbox"]
    if os.getuid() != 0:  # root has no need of a user space; the child becomes nobody instead
        command += ["--unshare-user", *([] if spaces_inside else ["--disable-userns"])]
    command += ["--perms", "1777", "--size", str(folder), "--tmpfs", "/tmp"]  # first: Python may lie below it
    shown = shown_places()
    for parent in sorted({str(parent) for place in shown.values() for parent in Path(place).parents} - {"/", "/tmp"}):
        command += ["--perms", "0755", "--dir", parent]  # else only root may pass through it
    for part, place in shown.items():
        command += ["--ro-bind", part, place]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", str(folder), "--tmpfs", "/dev/shm"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def bubblewrap() -> str:
    """The path of a bubblewrap that works here, or ""."""
    return tried_bubblewrap()[0]


@cache
def tried_bubblewrap() -> tuple[str, str]:
    """The path of a bubblewrap that works here and ""; or "" and why it does not, in words for the teacher."""
    if os.environ.get("COURSE_BUBBLEWRAP") == "0":
        return "", "COURSE_BUBBLEWRAP=0 says that bubblewrap shall not be used."
    path = shutil.which("bwrap")
    if not path:
        return "", "bubblewrap is not installed. On Debian and Ubuntu: sudo apt install bubblewrap (0.8 or newer)"
    command = [*bubblewrap_command(MB), sys.executable, "-c", "pass"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return (path, "") if done.returncode == 0 else ("", why_not(path, done.stderr.decode(errors="replace").strip()))


def why_not(path: str, said: str) -> str:
    """Why a bubblewrap that is installed does not work, and what helps, by its own words and the system's settings."""
    if "nknown option" in said:
        return f"bubblewrap is older than 0.8 ({said.splitlines()[0]}): install a newer one."
    if not any(words in said for words in CLOSED):
        return f"bubblewrap is installed and does not start: {said or 'it says nothing'}"
    command = next((command for setting, closed, command in OPENED if setting_is(setting, closed)), "")
    advice = (
        f"To open them to bubblewrap, run this once:\n{command.format(path=path)}"
        if command
        else ("In a container, its own rules may close them: allow it to make user namespaces.")
    )
    return f"bubblewrap is installed, but this system closes user namespaces to it ({said.splitlines()[0]}). {advice}"


def setting_is(setting: str, value: str) -> bool:
    """Whether a setting of the kernel, a file in /proc/sys, has this value."""
    file = Path("/proc/sys", setting)
    return file.exists() and file.read_text().strip() == value


def weaker() -> str:
    """What to tell a teacher who has no bubblewrap that works: why, and what is left."""
    walls = walls_here()
    left = OTHER_WALLS[walls == ["Landlock", "seccomp"]].format(walls=" and ".join(walls))
    return WEAKER.format(why=tried_bubblewrap()[1], walls=left)
