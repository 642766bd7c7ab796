"""What the kernel itself forbids a student's process, whatever bubblewrap does: Landlock and seccomp, by ctypes.

Landlock (Linux 5.13 and later) allows files by their folder; from 6.12 on also no signals to processes outside.
seccomp refuses system calls: those with which holes in kernels were used, and none that Python or torch needs.
Both hold for all that the process starts, and cannot be lifted. A wall that this kernel lacks is left out.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

LIBC = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES = 38  # of prctl

# Landlock: rights by the version that has brought them, from the kernel's landlock.h.
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE, DEVICE_CALLS = 1, 2, 4, 8, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CALLS
READ = EXECUTE | READ_FILE | READ_FOLDER
RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: TRUNCATE, 5: DEVICE_CALLS}  # of files; all that is not granted is refused
NETWORK = {4: 3}  # TCP, to listen and to connect
OUTSIDE = {6: 3}  # abstract sockets and signals of processes outside
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446

# seccomp: numbers of system calls on x86-64 and, as on most other processors, on ARM. None: there is none.
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97),
    "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262),
    "quotactl": (179, 60), "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "syslog": (103, 116), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "personality": (135, 92), "lookup_dcookie": (212, 18),
}  # fmt: skip
CHANGES = {  # of files' rights, owners, times and attributes: Landlock does not see them, nor, at first, truncate
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "truncate": (76, 45), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
NEW_SPACES = 0x7E020000  # flags of clone
FAMILIES = 1, 2, 10  # of sockets: local, IPv4, IPv6
OTHER_NUMBERS = 0x40000000  # x86-64 has a second set of calls from here on
LOAD, IS, IS_AT_LEAST, HAS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of a filter's steps
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
CALL, PROCESSOR, ARGUMENT = 0, 4, 16  # where a filter finds them
SECCOMP = {"x86_64": 317, "aarch64": 277}
FILTER, ALL_THREADS, NO_SLOWER = 1, 1, 4  # the last: without older kernels' measures against a process's own code


def build(readable: Sequence[str], writable: Sequence[str], spaces: bool) -> list[str]:
    """Build what walls this kernel has around this process, and name them.

    readable, writable  files and folders, with all that is in them
    spaces              whether the process is in spaces of its own. If not: no network, and no change of files' rights
    """
    no_new_privileges()
    walls = {"Landlock": landlock(readable, writable, spaces), "seccomp": seccomp(spaces)}
    return [name for name, stands in walls.items() if stands]


def no_new_privileges() -> None:
    """No program that this process starts has more rights than this process, whatever its file says."""
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def landlock(readable: Sequence[str], writable: Sequence[str], spaces: bool) -> bool:
    """Allow only these files; without spaces, no TCP either. False where there is no Landlock."""
    version = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1 or len(os.listdir("/proc/self/task")) > 1:  # it would hold for this thread only
        return False
    files, network, outside = (
        sum(right for since, right in rights.items() if since <= version) for rights in (RIGHTS, NETWORK, OUTSIDE)
    )
    about = struct.pack("QQQ", files, 0 if spaces else network, outside)
    rules = LIBC.syscall(CREATE_RULESET, about, len(about) if version >= 6 else 16 if version >= 4 else 8, 0)
    for places, rights in (readable, READ), (writable, files):
        for place in filter(os.path.exists, places):
            there = os.open(place, os.O_PATH)
            granted = rights & files & (-1 if os.path.isdir(place) else OF_FILES)
            LIBC.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", granted, there), 0)
            os.close(there)
    closed = LIBC.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return closed


def seccomp(spaces: bool) -> bool:
    """Refuse system calls. False where there is no seccomp, or on a processor whose calls are not known here."""
    machine = os.uname().machine
    if machine not in MACHINES:
        return False
    column, processor = MACHINES[machine]
    refused = REFUSED if spaces else REFUSED | CHANGES
    refuse, unknown = (RETURN, 0, 0, REFUSE | errno.EPERM), (RETURN, 0, 0, REFUSE | errno.ENOSYS)
    steps = [(LOAD, 0, 0, PROCESSOR), (IS, 1, 0, processor), refuse, (LOAD, 0, 0, CALL)]
    steps += [(IS_AT_LEAST, 0, 1, OTHER_NUMBERS), refuse]
    for number in (numbers[column] for numbers in refused.values()):
        steps += [(IS, 0, 1, number), refuse] if number is not None else []
    steps += [(IS, 0, 1, CLONE3[column]), unknown]  # its flags cannot be seen; the C library then takes clone
    steps += [(IS, 0, 4, CLONE[column]), (LOAD, 0, 0, ARGUMENT), (HAS, 0, 1, NEW_SPACES), refuse, (RETURN, 0, 0, ALLOW)]
    families = FAMILIES if spaces else ()
    steps += [(IS, 0, len(families) + 2, SOCKET[column]), (LOAD, 0, 0, ARGUMENT)]
    steps += [(IS, len(families) - i, 0, family) for i, family in enumerate(families)]
    steps += [refuse, (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    return LIBC.syscall(SECCOMP[machine], FILTER, ALL_THREADS | NO_SLOWER, program) == 0
