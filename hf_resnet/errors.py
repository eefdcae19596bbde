"""Every error a person can meet.

    HfResnetError
    ├── ConfigError     a flag or a recipe key that cannot be
    ├── LabelError      a class name that matches nothing, or a set of classes that cannot be
    ├── PictureError    one file that is not a picture we can use
    ├── DataError       a data set that cannot be found, read or matched
    ├── ModelError      a model that cannot be opened, or does not fit what is asked of it
    └── HubError        the Hub said no, or could not be reached

A message says what is wrong, what was got, what is allowed and what to do. The command line prints
it as one line and exits with 1; anything that is not an HfResnetError is a bug and keeps its
traceback.
"""

import difflib
from collections.abc import Iterable


class HfResnetError(Exception):
    """The root: catch this to catch everything that is the caller's to mend."""


class ConfigError(HfResnetError):
    """A flag or a recipe key that cannot be."""


class LabelError(HfResnetError):
    """A class name that matches nothing, or a set of classes that cannot be."""


class PictureError(HfResnetError):
    """One file that is not a picture we can use; its text is the reason alone, without the file."""


class DataError(HfResnetError):
    """A data set that cannot be found, read or matched."""


class ModelError(HfResnetError):
    """A model that cannot be opened, or does not fit what is asked of it."""


class HubError(HfResnetError):
    """The Hub said no, or could not be reached."""


def did_you_mean(word: str, allowed: Iterable[str], *, most: int = 3) -> str:
    """'; did you mean a, b or c?' for the nearest allowed words, or '' where none is near."""
    by_lower = {name.lower(): name for name in allowed}
    near = [by_lower[low] for low in difflib.get_close_matches(word.lower(), by_lower, n=most)]
    if not near:
        return ""
    return f"; did you mean {listed(near, last='or')}?"


def counted(number: int, thing: str) -> str:
    """'1 picture', '2,000 pictures', '3 classes'."""
    ending = "" if number == 1 else "es" if thing.endswith("s") else "s"
    return f"{number:,} {thing}{ending}"


def listed(words: Iterable[str], *, last: str = "and", most: int = 10) -> str:
    """'a, b and c', cut after `most` words with the number that is left out."""
    words = list(words)
    if len(words) > most:
        return f"{', '.join(words[:most])} {last} {len(words) - most} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
