"""What a process that holds secrets asks of the system at its start: no core file, and no look into its memory.

Of others it keeps out programs of the same user: they can then neither attach a debugger or profiler (gdb, py-spy,
strace) nor read its `/proc` entries for memory and environment. It does not keep out root, and nothing here hides what
is swapped out: use encrypted swap. The effect ends with `exec`, so each process asks for itself.
"""

import ctypes
import os
import resource
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # linux/prctl.h


def harden() -> tuple[str, ...]:
    """Make this process not dumpable, without core files; returns a sentence for each thing that could not be done.

    Doing it again changes nothing. Call it before the first secret is read.
    """
    return tuple(missing for missing in (_no_core(), _not_dumpable()) if missing is not None)


def _no_core() -> str | None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        return f"core files are not ruled out ({type(error).__name__}); start it with `ulimit -c 0`"
    return None


def _not_dumpable() -> str | None:
    remedy = "any program of this user can read its memory; give the desk a user of its own"
    if sys.platform != "linux":
        return f"this system has no way to keep debuggers out: {remedy}"
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        return f"debuggers are not kept out ({os.strerror(ctypes.get_errno())}): {remedy}"
    return None
