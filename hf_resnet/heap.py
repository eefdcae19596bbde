"""Keep freed memory for the next batch: the one place that sets glibc's malloc.

By default glibc maps every large tensor afresh and gives it back at once, so the kernel spends up to
half of the CPU time clearing pages. Three settings end that: never map, never trim, grow in large
steps. They must come before the first large allocation, cost some resident memory, and do nothing
where there is no glibc. HF_RESNET_HEAP=0 leaves malloc alone. What is kept serves the same work again;
between two kinds of work it goes back, or the peak of the second would lie on top of the first's.
"""

import ctypes
import gc
import os
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Set the heap for this process; says whether it took."""
    if os.environ.get("HF_RESNET_HEAP") == "0" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 << 20))
    taken = [mallopt(name, value) for name, value in settings]
    return all(taken)


def give_back_freed_memory() -> None:
    """Hand what earlier work has freed to the system: it would not fit what comes now."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
