"""Where a model is: what a person writes for --model_name_or_path, turned into a folder on disk.

The only place of this floor that talks to the Hub. It fetches configuration and safetensors, never a
pickle, and Python code only where that was asked for. The surprise: of a Hub that is busy the client
says the same as of no network at all, so what it stumbled over is looked up before it is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hf_resnet.config import ModelConfig
from hf_resnet.errors import HubError, ModelError, did_you_mean

_PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "hf_resnet.json",
    "splits.json",
    "recipe.yaml",
    "feature_mean.safetensors",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
)


@dataclass(frozen=True)
class Reference:
    """name is what the person wrote, folder is where its files are; no folder: by name alone."""

    kind: str
    name: str
    folder: Path | None = None


def resolve(config: ModelConfig) -> Reference:
    """Find the model; a folder on disk comes before a Hub id of the same name."""
    text = config.model_name_or_path
    scheme, colon, name = text.partition(":")
    if colon and scheme in ("timm", "packaged", "scratch"):
        return Reference(scheme, name)
    if Path(text).is_dir():
        return Reference("folder", text, Path(text))
    if looks_like_path(text):
        near = did_you_mean(Path(text).name, _names_beside(Path(text)))
        meant = f" (for the model {text} of the Hub write {text}@main)" if _may_be_id(text) else ""
        raise ModelError(
            f"no model folder at {text}{near}; give a folder with config.json and model.safetensors, "
            f"a Hub id such as microsoft/resnet-50{meant}, timm:NAME, scratch:resnet50 or "
            "packaged:efficientnet-lite0"
        )
    repo, at, revision = text.partition("@")
    if at and config.model_revision not in (None, revision):
        raise ModelError(f"{text} and --model_revision {config.model_revision} differ; give one")
    revision = revision or config.model_revision or "main"
    folder = fetch(repo, revision, code=config.trust_remote_code, weights=not config.random_init)
    return Reference("folder", text, folder)


def looks_like_path(text: str) -> bool:
    """Whether this is meant as a place on disk: no Hub id is written so, or it is named without a
    revision and the folder it would lie in is there."""
    repo, at, _ = text.partition("@")
    if text.startswith(("/", "~", ".")) or repo.count("/") > 1 or "\\" in text:
        return True
    return "/" in repo and not at and Path(repo).parent.is_dir()


def _may_be_id(text: str) -> bool:
    return not text.startswith(("/", "~", ".")) and text.count("/") == 1 and "\\" not in text


def _names_beside(path: Path) -> list[str]:
    try:
        return [each.name for each in path.parent.iterdir() if each.is_dir()]
    except OSError:
        return []


def fetch(repo: str, revision: str, *, code: bool = False, weights: bool = True) -> Path:
    """The files of a Hub model, from the cache where they are already there."""
    from huggingface_hub import errors, snapshot_download

    from hf_resnet.patience import passes, patiently, reached_nobody

    patterns = [p for p in _PATTERNS if weights or not p.startswith("model")]
    patterns += ["*.py"] if code else []
    download = partial(snapshot_download, repo, revision=revision, allow_patterns=patterns)
    try:
        return Path(patiently(download, reading=True))
    except errors.HFValidationError as exc:
        raise ModelError(
            f"{repo!r} is neither a folder nor a Hub id such as microsoft/resnet-50; check it"
        ) from exc
    except errors.GatedRepoError as exc:
        raise HubError(
            f"{repo} is gated; ask for access at https://huggingface.co/{repo}, "
            "then log in with `hf auth login`"
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise HubError(
            f"{repo} has no revision {revision!r}; name a branch, tag or commit"
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        raise HubError(
            f"the Hub has no model {repo!r}, or it is private; check the name, "
            "and log in with `hf auth login` if it is yours"
        ) from exc
    except (OSError, errors.OfflineModeIsEnabled, errors.HTTPError) as exc:  # type: ignore[attr-defined]
        if passes(exc) and not reached_nobody(exc) and (stored := _stored(download)):
            return stored
        raise HubError(_not_given(exc, repo)) from exc


def _stored(download: Callable[..., str]) -> Path | None:
    """What was fetched whole before; the client looks there by itself unless the connection broke."""
    from huggingface_hub import errors

    try:
        return Path(download(local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError):
        return None


def _not_given(exc: BaseException, repo: str) -> str:
    """Why the files could not be had, and what to do."""
    from huggingface_hub import errors

    from hf_resnet.patience import is_trouble, status_of

    status = status_of(exc)
    if status == 401:
        return "the Hub does not know your token; log in with `hf auth login`, or set HF_TOKEN"
    if status is not None and is_trouble(status):
        return (
            f"the Hub is busy or in trouble (status {status}) and gave no {repo}; try again later"
        )
    if isinstance(exc, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return (
            f"the Hub cannot be reached and {repo} is not in the cache; try again with a network, or "
            "use packaged:efficientnet-lite0, which needs none"
        )
    return f"the Hub did not give {repo}: {_first_line(exc)}; try again"


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
