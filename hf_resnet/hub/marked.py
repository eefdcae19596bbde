"""A card (README.md) of which only a part is ours: what a person wrote in it stays.

Ours is what stands between the two marks, and in the head the keys that are handed in. Knows nothing
of what the card is about. The surprise: our part holds a hash of what stands around it, so that it can
be told later whether a person has changed that since.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from hf_resnet.errors import ConfigError

BEGIN = (
    "<!-- hf-resnet: begin. What stands between these two marks is written anew by each push. -->"
)
END = "<!-- hf-resnet: end -->"
_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_OURS = re.compile(r"<!-- hf-resnet: begin\b.*?<!-- hf-resnet: end -->", re.DOTALL)
_AROUND = re.compile(r"<!-- hf-resnet: around ([0-9a-f]{16}) -->")
_AT_TIMES_OURS = ("base_model", "datasets", "model-index", "metrics")


def written(
    sections: Sequence[str],
    told: Mapping[str, Any],
    before: Sequence[str],
    *,
    license: str | None = None,
    force: bool = False,
) -> str:
    """The card, in the first of the cards before that a person has written in; told is our head.

    ConfigError where a later one of them holds what a person wrote since our last push, which would
    be lost; not so under force.
    """
    edited = [each for each in before if _is_written_in(each, told)]
    kept = edited[0] if edited else ""
    if not force and any(_is_news(each, kept, told) for each in edited[1:]):
        raise ConfigError(
            "README.md was edited in the model folder and on the Hub too, and what the Hub's says would "
            "be lost; put it into the one in the folder, and push with --force"
        )
    head, text = _divided(kept)
    new = {**head, **told} | ({"license": license} if license else {})
    # a tag that a person added is kept beside ours
    new["tags"] = list(dict.fromkeys([*told["tags"], *_texts(head.get("tags"))]))
    text = text if _OURS.search(text) else f"{text}\n{BEGIN}{END}\n"
    around = f"<!-- hf-resnet: around {_hash(new, text, told)} -->"
    ours = "\n".join([BEGIN, around, "", *sections, END])
    text = _OURS.sub(lambda _: ours, text, count=1)
    lines = yaml.safe_dump(new, sort_keys=False, allow_unicode=True)
    return f"---\n{lines}---\n{text.lstrip()}"


def is_marked(text: str) -> bool:
    """Whether a part of the card is ours."""
    return _OURS.search(text) is not None


def _is_written_in(text: str, told: Mapping[str, Any]) -> bool:
    """Whether there is more in it than a push of ours writes."""
    head, rest = _divided(text)
    return bool(_OURS.sub("", rest).strip()) or bool(set(head) - {*told, *_AT_TIMES_OURS})


def _is_news(text: str, kept: str, told: Mapping[str, Any]) -> bool:
    """Whether a person wrote in it since our push, and something else than is kept."""
    found, here = _hash(*_divided(text), told), _hash(*_divided(kept), told)
    pushed = _AROUND.search(text)
    return found != here and (pushed is None or pushed[1] != found)


def _hash(head: Mapping[str, Any], text: str, told: Mapping[str, Any]) -> str:
    """Of what is a person's."""
    own = {*told, *_AT_TIMES_OURS} - {"tags"}
    theirs = {key: each for key, each in head.items() if key not in own}
    theirs["tags"] = sorted({*_texts(head.get("tags"))} - {*told["tags"]})
    around = "\n".join(_OURS.sub("", text).split())
    said = json.dumps([theirs, around], sort_keys=True, default=str)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _divided(text: str) -> tuple[dict[str, Any], str]:
    """The head of a card, as what it says, and the text under it."""
    found = _HEAD.match(text)
    if found is None:
        return {}, text
    try:
        if any(isinstance(each, yaml.AliasEvent) for each in yaml.parse(found[1], yaml.SafeLoader)):
            raise ConfigError("the head of README.md holds aliases (*); write it out")
        head = yaml.safe_load(found[1])
    except (yaml.YAMLError, RecursionError) as exc:
        raise ConfigError(
            f"the head of README.md, between its --- lines, is not YAML: {' '.join(str(exc).split())}; "
            "mend it"
        ) from exc
    return head if isinstance(head, dict) else {}, text[found.end() :]


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def cell(value: Any) -> str:
    """Text that stays text in a table: no mark of Markdown or HTML does anything."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text.replace("&", "&amp;"))
