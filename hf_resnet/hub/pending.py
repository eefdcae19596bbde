"""A push that is not finished: MODEL.push.json beside the model folder, gone when all is done.

It is written before the first thing is sent, so a killed push leaves it too. What a token is, it does
not know.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hf_resnet.errors import ConfigError
from hf_resnet.jsonfile import read_object
from hf_resnet.writing import write_all


@dataclass(frozen=True)
class Wanted:
    """What a push is to bring about."""

    repo: str
    private: bool = False
    create_pr: bool = False
    revision: str = "main"
    tag: str | None = None
    license: str | None = None
    force: bool = False
    known_requests: tuple[str, ...] | None = field(default=None)
    """The pull requests that were there before, so that ours can be told from them."""


def marker_of(folder: Path) -> Path:
    place = folder.resolve()
    return place.with_name(f"{place.name}.push.json")


def keep(folder: Path, wanted: Wanted) -> str | None:
    """Write the marker; why that could not be, where it could not."""
    path = marker_of(folder)
    try:
        text = json.dumps(asdict(wanted), indent=2) + "\n"
        write_all(path.parent, {path.name: text.encode()})
    except OSError as exc:
        return f"{path} cannot be written ({exc.strerror}), so --pending will not know of this push"
    return None


def pending(folder: Path) -> Wanted | None:
    """The push that was begun from this folder and is not finished."""
    path = marker_of(folder)
    if not path.is_file():
        return None
    found = read_object(path, error=ConfigError)
    known = found.pop("known_requests", None)
    kinds = {"repo": str, "revision": str, "private": bool, "create_pr": bool, "force": bool}
    texts = all(isinstance(found.get(key), str | None) for key in ("tag", "license"))
    if (
        set(found) - {"tag", "license"} != set(kinds)
        or not texts
        or any(type(found[key]) is not kind for key, kind in kinds.items())
        or not (known is None or (isinstance(known, list) and all(type(k) is str for k in known)))
    ):
        raise ConfigError(f"{path} is not as push writes it; delete it, and push anew")
    return Wanted(**found, known_requests=None if known is None else tuple(known))


def done(folder: Path) -> None:
    path = marker_of(folder)
    if path.is_file():  # what else may be in its place is not ours
        path.unlink(missing_ok=True)
