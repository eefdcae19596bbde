"""hf-resnet relabel: change the classes of a trained classifier."""

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hf_resnet.backbones.reference import resolve
from hf_resnet.classifier import check_output, new_model_folder, open_classifier
from hf_resnet.commands.recipe import read_yaml, write_recipe
from hf_resnet.config import RelabelConfig
from hf_resnet.data import SPLITS_FILE, existing_folder, load_examples, pictures, read_record
from hf_resnet.errors import ConfigError, LabelError, counted, listed
from hf_resnet.facts import ClassFact
from hf_resnet.labels import Labels, Surgery, split_names
from hf_resnet.relabel import Relabelled, change_classes
from hf_resnet.screen import one_line, screen

MOST_ROWS = 40


def run(config: RelabelConfig) -> None:
    """Open the model, change its classes, show where each came from, and save."""
    console = screen()
    check_output(config.output_dir, overwrite=config.overwrite_output_dir)
    examples, notes = None, list[str]()
    if config.add_dir:
        examples, notes = load_examples(config.add_dir, "--add_dir")
    samples = None
    if config.sample_dir:
        samples = pictures([str(existing_folder(config.sample_dir, "--sample_dir"))])
        notes += samples.notes
    folder = resolve(config.model).folder
    read_record(folder)  # stops here where it is no record
    classifier = open_classifier(config.model)
    surgery = surgery_of(config, classifier.labels)
    changed = change_classes(
        classifier, surgery, examples=examples, samples=samples, compute=config.compute
    )
    with new_model_folder(config.output_dir, overwrite=config.overwrite_output_dir) as place:
        changed.classifier.write(place)
        write_recipe(config, place)
        # what the kept rows learned from is still what must not be measured on
        if folder and (folder / SPLITS_FILE).is_file():
            shutil.copyfile(folder / SPLITS_FILE, place / SPLITS_FILE)
    _show(console, changed, classifier.labels)
    for note in notes:
        console.print(one_line(f"note: {note}"))
    console.print(f"\nsaved in {config.output_dir}; try it:")
    console.print(f"  hf-resnet predict {shlex.quote(config.output_dir)} PICTURES")


def surgery_of(config: RelabelConfig, labels: Labels) -> Surgery:
    """The changes that the flags, the file of names or the YAML file ask for."""
    flags = {
        "keep": _names(config.keep, labels),
        "drop": _names(config.drop, labels),
        "rename": _renames(config.rename),
        "merge": _merges(config.merge, labels),
        "add": _names(config.add, ()),
    }
    given = [name for name, value in flags.items() if value]
    files = [name for name in ("labels", "surgery") if getattr(config, name)]
    if len(files) + bool(given) > 1:
        alone = listed(f"--{name}" for name in [*files, *given])
        raise ConfigError(f"{alone} were given together; a file stands alone, so choose one way")
    if config.labels:
        lines = _read(config.labels).splitlines()
        return Surgery(labels=tuple(line.strip() for line in lines if line.strip()))
    if config.surgery:
        return _surgery_of_yaml(config.surgery, labels)
    return Surgery(**flags)  # type: ignore[arg-type]


def _surgery_of_yaml(path: str, labels: Labels) -> Surgery:
    content = {key: value for key, value in read_yaml(path).items() if value is not None}
    allowed = ("keep", "drop", "rename", "merge", "add", "labels")
    if unknown := set(content) - set(allowed):
        got = listed(sorted(unknown))
        raise ConfigError(f"{path} may have the keys {listed(allowed)}; got {got}")
    lists = {
        key: tuple(value) if isinstance(value, list) else split_names(value, labels)
        for key, value in content.items()
        if key in ("keep", "drop", "add", "labels") and _is_list(key, value, path)
    }
    for key in ("rename", "merge"):
        _check_pairs(key, content.get(key, []), path)
    return Surgery(
        **lists,
        rename=_renames(content.get("rename", [])),
        merge=_merges(content.get("merge", []), labels),
    )


def _is_list(key: str, value: Any, path: str) -> bool:
    if not isinstance(value, dict) and _are_names(value):
        return True
    raise ConfigError(f"{path}: {key} takes a list of class names, such as [a, b]")


def _check_pairs(key: str, value: Any, path: str) -> None:
    if isinstance(value, dict):
        fits = all(isinstance(each, str) or key == "merge" for each in value.values())
        fits = fits and all(_are_names(each) for each in value.values())
    else:
        texts = [value] if isinstance(value, str) else value
        fits = _are_names(texts) and all("=" in text for text in texts)
    if not fits:
        example = "{old: new}" if key == "rename" else "{cat: [tabby, tiger cat]}"
        raise ConfigError(f"{path}: {key} takes names, such as {example}")


def _are_names(value: Any) -> bool:
    """One name or a list of them, none empty."""
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) and text.strip() for text in texts)


Given = Mapping[str, Any] | Sequence[str] | str
"""A mapping as YAML has it, or texts with an equals sign as flags have them."""


def _renames(given: Given) -> dict[str, str]:
    if isinstance(given, Mapping):
        return dict(given)
    pairs = [pair for text in _texts(given) for pair in _split_pairs(text)]
    return dict(_assigned(pair, "rename") for pair in pairs)


def _split_pairs(text: str) -> list[str]:
    """'a=b,c=d' -> a=b and c=d; a comma inside a name stays."""
    pairs: list[str] = []
    for part in text.split(","):
        if pairs and ("=" not in part or "=" not in pairs[-1]):
            pairs[-1] += f",{part}"
        else:
            pairs.append(part)
    return pairs


def _merges(given: Given, labels: Labels) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        given = dict(_assigned(text, "merge") for text in _texts(given))
    return {
        new: tuple(members) if isinstance(members, list) else split_names(members, labels)
        for new, members in given.items()
    }


def _texts(given: Sequence[str] | str) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _names(texts: tuple[str, ...], known: Labels | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for text in texts for name in split_names(text, known))


def _assigned(text: str, flag: str) -> tuple[str, str]:
    left, equals, right = (part.strip() for part in text.partition("="))
    if not (left and equals and right):
        example = "old=new" if flag == "rename" else '"cat=tabby,tiger cat"'
        raise ConfigError(f"--{flag} takes {example}, got {text!r}")
    return left, right


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; check the path") from exc
    except UnicodeDecodeError as exc:
        raise LabelError(f"{path} is not UTF-8 text; save it as UTF-8") from exc


def _show(console: Console, changed: Relabelled, old: Labels) -> None:
    facts = changed.classifier.facts.classes
    table = Table(
        title=f"{counted(len(old), 'class')} before, {len(facts):,} now", title_justify="left"
    )
    for column in ("class", "row", "from"):
        table.add_column(column)
    # what changed first: of ImageNet's thousand most are kept
    listed_first = sorted(facts, key=lambda fact: fact.origin == "kept" and fact.name in old.names)
    for fact in listed_first[:MOST_ROWS]:
        table.add_row(fact.name, fact.origin, _source(fact))
    console.print(table)
    if len(facts) > MOST_ROWS:
        console.print(f"and {len(facts) - MOST_ROWS:,} more; all are in hf_resnet.json")
    for line in _remarks(changed, old):
        console.print(one_line(line))


def _remarks(changed: Relabelled, old: Labels) -> Iterator[str]:
    facts = changed.classifier.facts.classes
    used = {name for fact in facts for name in (fact.name, *fact.sources)}
    if gone := [name for name in old if name not in used]:
        yield f"dropped: {listed(gone)}"
    for name, error in changed.merge_errors.items():
        yield (
            f"{name}: its probability is {100 * error.mean:.1f} points from the sum of its members' "
            f"on average, {100 * error.most:.1f} at most ({counted(error.pictures, 'picture')})"
        )
    for name, share in changed.recognised.items():
        yield (
            f"{name}: {100 * share:.0f} % of its own pictures are recognised; "
            "hf-resnet finetune with pictures of all classes teaches it in full"
        )
    for bad in changed.bad:
        yield f"not used: {bad.origin}: {bad.reason}"
    if untrained := [fact.name for fact in facts if fact.origin == "untrained"]:
        yield f"not trained yet: {listed(untrained)}; teach with --add_dir, or hf-resnet finetune"


def _source(fact: ClassFact) -> str:
    if fact.origin == "imprinted":
        return counted(fact.pictures or 0, "picture")
    return listed(fact.sources, most=6)
