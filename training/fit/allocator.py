"""Keep freed memory in the process: on a CPU, page faults can take a third of a training step."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Make glibc reuse the memory of freed tensors instead of returning it to the system.

    Feature maps of tens of megabytes are allocated at each step; glibc would map and unmap each of them. Does nothing
    with another C library.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        for parameter in (_TRIM_THRESHOLD, _MMAP_THRESHOLD, _TOP_PAD):
            library.mallopt(parameter, _NEVER if parameter != _TOP_PAD else 2**29)
