"""The way to the Hub: what an error came from, whether it passes by itself, and waiting until it does.

The surprise: the client tries some calls again by itself, some of them many times, and others (making
a repository, a commit, a tag, reading a model's files) never. `patiently` is for calls that do no harm
when done twice; a commit is none of them.
"""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from huggingface_hub import errors as hub

# Of the HTTP library that the Hub's client is built on, which is another in each of its versions.
BROKEN: type[Exception] = hub.HTTPError  # type: ignore[attr-defined]
WAITS = (1.0, 2.0, 4.0, 8.0, 8.0)
LONGEST_WAIT = 60.0
WHILE_READING = (1.0, 2.0, 4.0)
LONGEST_READING = 20.0
_NOBODY = ("ConnectError", "ConnectTimeout", "ProxyError")
"""Errors, by name, of a client that reached nobody: no waiting helps who reads, and may have a copy."""

Answer = TypeVar("Answer")


def patiently(call: Callable[[], Answer], *, reading: bool = False) -> Answer:
    """What the call gives, after waiting where the Hub is busy or the connection breaks; less long for
    one who reads."""
    waits: Sequence[float] = WHILE_READING if reading else WAITS
    until = time.monotonic() + (LONGEST_READING if reading else math.inf)
    for wait in waits:
        try:
            return call()
        except Exception as exc:
            if not passes(exc) or time.monotonic() > until or (reading and reached_nobody(exc)):
                raise
            pause(exc, wait)
    return call()


def passes(exc: BaseException) -> bool:
    """Whether the same call may well succeed a little later."""
    status, chain = status_of(exc), list(chain_of(exc))
    if status is not None:
        return is_trouble(status)
    if any(isinstance(each, hub.OfflineModeIsEnabled) for each in chain):
        return False
    return any(isinstance(each, BROKEN | json.JSONDecodeError) for each in chain)


def is_trouble(status: int) -> bool:
    """Whether the Hub answered that it is busy, or that something is wrong with it."""
    return status in (408, 429) or status >= 500


def reached_nobody(exc: BaseException) -> bool:
    """Whether there was no network, or nobody at its other end."""
    return any(type(each).__name__ in _NOBODY for each in chain_of(exc))


def pause(exc: BaseException, wait: float) -> None:
    """Sleep so long, or as long as the Hub asks; several that wait do not all come back at once."""
    answers = [getattr(each, "response", None) for each in chain_of(exc)]
    asked = [each.headers.get("Retry-After", "") for each in answers if each is not None]
    seconds = [float(each) for each in asked if each.isdecimal()]
    time.sleep(min(max([wait * random.uniform(0.75, 1.25), *seconds]), LONGEST_WAIT))  # noqa: S311


def status_of(exc: BaseException) -> int | None:
    """The code that the Hub answered with, where it answered."""
    answers = (
        getattr(getattr(each, "response", None), "status_code", None) for each in chain_of(exc)
    )
    return next((status for status in answers if isinstance(status, int)), None)


def chain_of(exc: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it was raised from, also where it says `from None` to hide that."""
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
