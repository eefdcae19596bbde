"""Files that appear whole or not at all, and what goes wrong on a disk said in one line.

Knows nothing of what is written. The surprise: safetensors tells of a full disk by an error of its
own, which is none of OSError.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from hf_resnet.errors import ConfigError

_OF_THE_DISK = {
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EFBIG",
        "EIO",
        "EACCES",
        "EPERM",
        "ENOTDIR",
        "EISDIR",
        "ENOENT",  # /proc and its like make no folders, and say so
        "ENAMETOOLONG",
    )
    if hasattr(errno, name)
}
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
_OF_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


@contextmanager
def on_disk(what: str, advice: str, *, needs: int | None = None) -> Iterator[None]:
    """Within it, what the disk refuses is a ConfigError: `what` cannot be written, and the advice.

    needs is the number of bytes that are to be written in all, where that is known. Errors that are
    not of a disk pass as they are.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in _OF_THE_DISK | _IN_THE_WAY:
            raise
        reason = "a file lies in its way" if exc.errno in _IN_THE_WAY else str(exc.strerror)
        full = exc.errno in _OF_ROOM
        raise _refused(what, reason, advice, needs if full else None) from exc
    except SafetensorError as exc:
        if "os error" not in str(exc):
            raise
        reason = str(exc).rsplit("(os error", 1)[0].rsplit(": ", 1)[-1].strip()
        raise _refused(what, reason, advice, needs) from exc


def _refused(what: str, reason: str, advice: str, needs: int | None) -> ConfigError:
    room = f" ({max(1, -(-needs // 10**6)):,} MB are needed)" if needs else ""
    return ConfigError(f"{what} cannot be written: {reason}{room}; {advice}")


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put the files in the folder: each is whole there, and none where one could not be written."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    growing = {name: folder / f".{name}.part" for name in contents}
    try:
        for name, content in contents.items():
            with growing[name].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, path in growing.items():
            path.replace(folder / name)
    except OSError:
        for path in growing.values():
            path.unlink(missing_ok=True)
        if is_new:
            folder.rmdir()
        raise


def is_running(pid: int) -> bool:
    """Whether this machine has a process of this number; where that cannot be asked, yes."""
    if os.name != "posix":
        return True  # os.kill would end it there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
