"""A card (README.md) of which only a part is ours: what a person wrote in it stays.

Ours is what stands between the two marks, and in the head the keys that are handed in. Knows nothing
of what the card is about.
"""

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


def written(
    sections: Sequence[str],
    told: Mapping[str, Any],
    before: Sequence[str],
    *,
    license: str | None = None,
) -> str:
    """The card, in the first of the cards before that a person has written in; told is our head."""
    kept = next((each for each in before if _is_written_in(each, told)), "")
    head, text = _divided(kept)
    ours = "\n".join([BEGIN, "", *sections, END])
    text = _OURS.sub(lambda _: ours, text, count=1) if _OURS.search(text) else f"{text}\n{ours}\n"
    new = {**head, **told} | ({"license": license} if license else {})
    # a tag that a person added is kept beside ours
    new["tags"] = list(dict.fromkeys([*told["tags"], *_texts(head.get("tags"))]))
    lines = yaml.safe_dump(new, sort_keys=False, allow_unicode=True)
    return f"---\n{lines}---\n{text.lstrip()}"


def _is_written_in(text: str, told: Mapping[str, Any]) -> bool:
    """Whether there is more in it than a push of ours writes."""
    head, rest = _divided(text)
    own = {*told, "base_model", "datasets", "model-index", "metrics"}
    return bool(_OURS.sub("", rest).strip()) or bool(set(head) - own)


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
