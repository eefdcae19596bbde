import os
import platform
import subprocess
import sys

import pytest

FREED = """
import sys
import numpy as np
from hf_resnet.heap import give_back_freed_memory, keep_freed_memory

def resident():
    status = open("/proc/self/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024

keep_freed_memory()
before = resident()
arrays = [np.ones(2**20, np.uint8) for _ in range(200)]
last = np.ones(1000)  # lies above them, so that the heap cannot simply end earlier
del arrays
freed = resident()
give_back_freed_memory()
print(before, freed, resident())
"""


def memory(**environment):
    words = [sys.executable, "-c", FREED]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env=dict(os.environ, **environment)
    )
    return [float(each) for each in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no other heap to set")
def test_what_was_freed_is_kept_for_the_same_work_and_given_back_before_another():
    before, freed, given_back = memory()
    assert freed > before + 150
    assert given_back < before + 50


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no other heap to set")
def test_the_heap_may_be_left_alone():
    before, freed, _ = memory(HF_RESNET_HEAP="0")
    assert freed < before + 50
