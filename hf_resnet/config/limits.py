"""What a number may be: the checks that the configs share, each with its one clear line."""

import re
from typing import Any

from hf_resnet.errors import ConfigError

MOST_SIDE = 4096
MOST_AT_ONCE = 65_536
MOST_WORKERS = 256
MOST_VIEWS = 10_000
"""What no run means; more is a slip of the finger that would end with the machine's memory."""


def at_least(config: Any, name: str, least: int) -> None:
    value = getattr(config, name)
    if value is not None and value < least:
        raise ConfigError(f"--{name} is at least {least}, got {value}")


def within(config: Any, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    if value is not None and not low <= value <= high:
        least, most, got = (
            f"{each:g}" if isinstance(each, float) else str(each) for each in (low, high, value)
        )
        raise ConfigError(f"--{name} is within {least} and {most}, got {got}")


def steps_or_epoch(name: str, value: str) -> None:
    if value != "epoch" and not (value.isdecimal() and int(value) > 0):
        raise ConfigError(f"--{name} is a number of steps or the word epoch, got {value!r}")


def bytes_of(text: str) -> int:
    """'4GB', '3.5 GiB' or '800MB' as a number of bytes; ConfigError where it is no such thing."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT])(i?)B?\s*", text, re.IGNORECASE)
    if match is None or not float(match[1]):
        raise ConfigError(f"--memory_budget is an amount such as 4GB or 800MB, got {text!r}")
    power = " KMGT".index(match[2].upper())
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)
