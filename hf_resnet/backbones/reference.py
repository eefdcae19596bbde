"""Where a model is: what a person writes for --model_name_or_path, turned into a folder on disk.

The only place of this floor that talks to the Hub. It fetches configuration and safetensors, never a
pickle, and Python code only where that was asked for.
"""

from dataclasses import dataclass
from pathlib import Path

from hf_resnet.config import ModelConfig
from hf_resnet.errors import HubError, ModelError, did_you_mean

_PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "hf_resnet.json",
    "splits.json",
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
        raise ModelError(
            f"no model folder at {text}{near}; give a folder with config.json and model.safetensors, "
            "a Hub id such as microsoft/resnet-50, timm:NAME, scratch:resnet50 or "
            "packaged:efficientnet-lite0"
        )
    repo, at, revision = text.partition("@")
    if at and config.model_revision not in (None, revision):
        raise ModelError(f"{text} and --model_revision {config.model_revision} differ; give one")
    revision = revision or config.model_revision or "main"
    folder = fetch(repo, revision, code=config.trust_remote_code, weights=not config.random_init)
    return Reference("folder", text, folder)


def looks_like_path(text: str) -> bool:
    """Whether this can only be meant as a place on disk, since no Hub id is written so."""
    if text.startswith(("/", "~", ".")) or text.count("/") > 1 or "\\" in text:
        return True
    return "/" in text and Path(text).parent.is_dir()


def _names_beside(path: Path) -> list[str]:
    try:
        return [each.name for each in path.parent.iterdir() if each.is_dir()]
    except OSError:
        return []


def fetch(repo: str, revision: str, *, code: bool = False, weights: bool = True) -> Path:
    """The files of a Hub model, from the cache where they are already there."""
    from huggingface_hub import errors, snapshot_download

    patterns = [p for p in _PATTERNS if weights or not p.startswith("model")]
    try:
        found = snapshot_download(
            repo, revision=revision, allow_patterns=[*patterns, *(["*.py"] if code else [])]
        )
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
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as exc:
        raise HubError(
            f"the Hub cannot be reached and {repo} is not in the cache; try again with a network, or "
            "use packaged:efficientnet-lite0, which needs none"
        ) from exc
    except (errors.HfHubHTTPError, OSError) as exc:
        raise HubError(f"the Hub did not give {repo}: {_first_line(exc)}; try again") from exc
    return Path(found)


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
