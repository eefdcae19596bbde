"""The only way a JSON file from outside becomes a dictionary: bounded, flat enough, finite, an object.

Knows nothing of what the keys mean. The surprise: Python's own reader takes NaN, Infinity, 1e400 and
halves of letters, and each of them would come up again far from here; so they are refused here.
"""

import json
import math
import stat
from pathlib import Path
from typing import Any

from hf_resnet.errors import HfResnetError, ModelError

MOST_BYTES = 64 << 20
_MOST_DIGITS = 25
_MOST_DEPTH = 50


def read_object(path: Path, *, error: type[HfResnetError] = ModelError) -> dict[str, Any]:
    """The object that the file holds; `error`, in one line, where there is none to be trusted."""
    try:
        found = json.loads(
            _text(path, error),
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
        if _depth(found) > _MOST_DEPTH:
            raise RecursionError
        json.dumps(found, ensure_ascii=False).encode()  # half a letter can never be written again
    except UnicodeEncodeError as exc:
        raise _refused(path, "it holds half a letter (a lone surrogate)", error) from exc
    except RecursionError as exc:
        raise _refused(path, "it is nested too deeply", error) from exc
    except ValueError as exc:
        raise _refused(path, str(exc), error) from exc
    if not isinstance(found, dict):
        raise _refused(path, f"it holds {_kind(found)} where an object is needed", error)
    return found


def _text(path: Path, error: type[HfResnetError]) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise error(f"{path} is a folder or a device where a JSON file is needed; take it away")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise error(f"{path} cannot be read: {exc.strerror}; check that it is there") from exc
    if len(content) > MOST_BYTES:
        raise _refused(path, f"it is larger than {MOST_BYTES >> 20} MB", error)
    return content.decode("utf-8")


def _depth(found: object) -> int:
    depth, level = 0, [found]
    while level and depth <= _MOST_DEPTH:
        depth += 1
        lists = [each for each in level if isinstance(each, list)]
        lists += [list(each.values()) for each in level if isinstance(each, dict)]
        level = [inside for each in lists for inside in each]
    return depth


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it holds {text[:_MOST_DIGITS]}, which is too large a number")
    return number


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"it holds a whole number of {len(text)} digits")
    return int(text)


def _kind(found: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(found), "a number")


def _refused(path: Path, why: str, error: type[HfResnetError]) -> HfResnetError:
    return error(f"{path} is not JSON that can be used: {why}; take the file from where it came")
