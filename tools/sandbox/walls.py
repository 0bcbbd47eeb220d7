"""The walls around the keeper, which the kernel keeps: what the interpreter should refuse, the process cannot do.

Limits on resources hold everywhere. On Linux a Landlock domain (from kernel 5.13 on) closes all files but those named,
TCP, and signals to other processes, and a seccomp filter closes sockets and the doors into other processes. All of it
is inherited by whatever is started inside, needs no privileges, and can never be taken back.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_NO_NEW_PRIVILEGES = 38
_SECCOMP = 22
_SECCOMP_FILTER = 2

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_BENEATH = 1
_VERSION = 1
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_LOOK = _EXECUTE | _READ_FILE | _READ_FOLDER
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Landlock's versions, and how many rights over files they know; from the fifth on, 16."""
_TCP = 0b11
_SIGNALS_AND_ABSTRACT_SOCKETS = 0b11

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""By their numbers in a filter."""
_REFUSED = {
    "socket": (41, 198),
    "setpgid": (109, 154),  # who leaves the group would not be killed with it
    "setsid": (112, 157),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
"""The system calls nobody needs here, by their numbers on each architecture."""
_OTHER_CALLS = 0x40000000
"""From here on the numbers are those of x86's third interface, which nothing here uses."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1


def bound_resources(cpu_seconds: int, address_space: int) -> None:
    """Bound each process from here on: seconds of computing, bytes of address space; no file grows, no core is left."""
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # elsewhere the number is not heeded, or refused
        _lower(resource.RLIMIT_AS, address_space)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    new = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (new, new))


def close(readable: Iterable[Path]) -> tuple[str, ...]:
    """Close everything the kernel can close but these folders and files, for reading.

    Returns which walls stand: `files`, `tcp`, `signals`, `calls`, or fewer on an older or another system.
    """
    if sys.platform != "linux":
        return ()
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return ()
    return (*_landlock(system, readable), *(("calls",) if _seccomp(system) else ()))


def _landlock(system: ctypes.CDLL, readable: Iterable[Path]) -> tuple[str, ...]:
    version = system.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return ()
    fields = _closed(version)
    rules = struct.pack(f"={len(fields)}Q", *fields.values())
    ruleset = system.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return ()
    try:
        for path in readable:
            _open_up(system, ruleset, path)
        return () if system.syscall(_RESTRICT_SELF, ruleset, 0) else tuple(fields)
    finally:
        os.close(ruleset)


def _closed(version: int) -> Mapping[str, int]:
    """As much as this version of Landlock can close, as it is told."""
    fields = {"files": (1 << _FILE_RIGHTS.get(version, 16)) - 1}
    if version >= 4:
        fields["tcp"] = _TCP
    if version >= 6:
        fields["signals"] = _SIGNALS_AND_ABSTRACT_SOCKETS
    return fields


def _open_up(system: ctypes.CDLL, ruleset: int, path: Path) -> None:
    with contextlib.suppress(OSError):  # what is not there needs no opening
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights = _LOOK if path.is_dir() else _EXECUTE | _READ_FILE
            system.syscall(_ADD_RULE, ruleset, _RULE_BENEATH, struct.pack("=Qi", rights, place), 0)
        finally:
            os.close(place)


def _seccomp(system: ctypes.CDLL) -> bool:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return False
    column = list(_ARCHITECTURES).index(machine)
    code = _filter(_ARCHITECTURES[machine], [numbers[column] for numbers in _REFUSED.values()])
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    return bool(system.prctl(_SECCOMP, _SECCOMP_FILTER, program, 0, 0) == 0)


def _filter(architecture: int, refused: Sequence[int]) -> bytes:
    """The filter as the kernel reads it: another architecture or a refused call is an error, all else goes on."""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    steps = [
        (load, 0, 0, 4),
        (equal, 0, len(refused) + 3, architecture),
        (load, 0, 0, 0),
        (at_least, len(refused) + 1, 0, _OTHER_CALLS),
        *((equal, len(refused) - at, 0, number) for at, number in enumerate(refused)),
        (answer, 0, 0, _ALLOW),
        (answer, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
