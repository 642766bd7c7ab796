"""One process that has imported torch, and forks for each submission, so that none waits for imports.

`python -m grader.inside.pristine CONTROL USER MODULE…` runs inside bubblewrap, and never runs a line of a student's.
For each request on the socket CONTROL it forks three processes:

    keeper  makes spaces for the two others, and is in none that they see. When the grader closes its end of a socket,
            or ends, it ends them; and it tells how they ended
    first   process 1 of these spaces: it sets up what is seen there, gives up all rights, and then only buries the dead
    child   the student's process, as in `child`

The spaces (Linux namespaces) are of users, processes, mounts, messages and network. So a student's process sees no
file, process, descriptor or message of another's, and when the first process of its space ends, all others end too.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import random
import select
import signal
import socket
import struct
import sys
from itertools import pairwise

import numpy as np
import torch

from grader.inside import child, walls

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
SET_DEATH_SIGNAL, SET_DUMPABLE, DROP_FROM_BOUNDS = 1, 4, 24  # of prctl
KEYCTL, JOIN_SESSION_KEYRING = {"x86_64": 250}.get(os.uname().machine, 219), 1
UP, SET_FLAGS = 1, 0x8914  # of a network interface
ENDS = 4  # descriptors of a request: what the child reads and writes, its output, and the keeper's socket
OFTEN = ("numpy.random", "utils.expect", "matplotlib.pyplot")  # many cells use them; pyplot takes half a second


def system_call(name: str, *args) -> int:
    """A call of the C library that fails with OSError. Texts are sent as bytes."""
    made = getattr(walls.LIBC, name)(*(arg.encode() if isinstance(arg, str) else arg for arg in args))
    if made < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{args}: {os.strerror(number)}")
    return made


def fork_on_request(control: socket.socket) -> tuple[int, int, dict]:
    """Wait for requests, and fork for each. Returns in each child only: what it reads and writes, and its limits."""
    pristine = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        request, ends, _, _ = socket.recv_fds(control, 100_000, ENDS)
        if not request:  # the grader has ended
            os._exit(0)
        if len(os.listdir("/proc/self/task")) > 1:
            os._exit(3)  # a fork with threads would be of one thread only
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            read, write, output, life = ends
            os.dup2(output, 1)
            os.dup2(output, 2)
            end_with(pristine)
            make_spaces()
            if first := os.fork():
                keep(first, life)
            end_with(0)  # as the new space sees it
            told = json.loads(request)
            set_up(told["folder"])
            give_up_rights()
            if second := os.fork():
                bury(second)
            control.detach()
            close_all_but(read, write)
            random.seed()  # as in a new process: random numbers begin at the system's
            np.random.seed()
            torch.default_generator.seed()
            return read, write, told
        for end in ends:
            os.close(end)


def end_with(parent: int) -> None:
    """End when the parent ends, or if it has ended before this line."""
    system_call("prctl", SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def make_spaces() -> None:
    """New spaces for this process and, of processes, for those that it forks. Its user has the same number there."""
    user, group = os.getuid(), os.getgid()
    system_call("unshare", NEWUSER | NEWNS | NEWPID | NEWIPC | NEWNET)
    for name, line in ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1"):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def keep(first: int, life: int) -> None:
    """The keeper's work: end the space when the grader's end of `life` closes, or tell there how it has ended."""
    close_all_but(life)
    ended = os.pidfd_open(first)
    poll = select.poll()
    poll.register(life, select.POLLIN)
    poll.register(ended, select.POLLIN)
    if ended not in dict(poll.poll()):
        os.kill(first, signal.SIGKILL)
    status = os.waitpid(first, 0)[1]  # comes after the end of all others in its space
    with contextlib.suppress(OSError):
        os.write(life, bytes([exit_code(status)]))
    os._exit(0)


def bury(second: int) -> None:
    """The work of process 1: wait for the child, and for whatever else ends before it."""
    close_all_but()
    while True:
        process, status = os.wait()
        if process == second:
            os._exit(exit_code(status))


def exit_code(status: int) -> int:
    """As a shell and bubblewrap have it: 128 + signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def set_up(folder: int) -> None:
    """What is seen in the new spaces: its own processes, empty folders, a network of one. No more spaces can be made.

    folder  bytes that /tmp may hold, and /dev/shm
    """
    system_call("mount", None, "/", None, RECURSIVE | PRIVATE, None)
    system_call("mount", "proc", "/proc", "proc", NOSUID | NODEV | NOEXEC, None)
    system_call("mount", "devpts", "/dev/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    with open("/proc/self/mountinfo") as mounts:
        below = [place for line in mounts if (place := line.split()[4]).startswith("/tmp/")]  # Python may lie there
    shown = [(place, os.open(place, os.O_PATH)) for place in below]
    for place in ("/tmp", "/dev/shm"):
        system_call("mount", "tmpfs", place, "tmpfs", NOSUID | NODEV, f"mode=1777,size={folder}")
    for place, there in shown:
        os.makedirs(place, 0o755, exist_ok=True)
        system_call("mount", f"/proc/self/fd/{there}", place, None, BIND | RECURSIVE, None)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", UP))
    os.chdir("/tmp")
    os.setsid()


def give_up_rights() -> None:
    """All capabilities, in every set and for good; and the keys of other processes."""
    with contextlib.suppress(OSError):  # a kernel may have no keyrings
        system_call("syscall", KEYCTL, JOIN_SESSION_KEYRING, None)
    walls.no_new_privileges()
    with contextlib.suppress(OSError):  # after the last that the kernel knows
        for capability in range(64):
            system_call("prctl", DROP_FROM_BOUNDS, capability, 0, 0, 0)
    header, none = struct.pack("II", 0x20080522, 0), bytes(24)  # version 3, this process; no sets
    system_call("capset", header, none)


def close_all_but(*ends: int) -> None:
    """Close all descriptors but these and standard output and error; standard input becomes empty, and one's own."""
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)  # takes the lowest number
    for low, high in pairwise([2, *sorted(ends), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(low + 1, high)


def run_pristine() -> None:
    control, user, modules = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3:]
    sys.argv[1:] = []
    if user:
        # bubblewrap shows root a /proc that is covered in part, below which nobody else may mount another
        system_call("mount", "proc", "/proc", "proc", NOSUID | NODEV | NOEXEC, None)
        child.become(user)
        system_call("prctl", SET_DUMPABLE, 1, 0, 0, 0)  # else its files in /proc are root's
    child.imports(*OFTEN, *modules)
    child.serve(*fork_on_request(control))


if __name__ == "__main__":
    run_pristine()
