"""The one place where errors of `datasets` and `huggingface_hub` become ones a person can use.

Knows nothing of what was being read but its name. The surprise: the libraries raise a dozen
unrelated types for a handful of causes, and wrap the cause in another error as often as not, so the
whole chain is looked through.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import datasets
import datasets.exceptions as theirs
from huggingface_hub import constants
from huggingface_hub import errors as hub

from hf_resnet.errors import DataError, HfResnetError, HubError
from hf_resnet.patience import BROKEN, chain_of, status_of

CAUGHT = (
    theirs.DatasetsError,
    BROKEN,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)
UNREACHABLE = (
    hub.OfflineModeIsEnabled,
    hub.LocalEntryNotFoundError,
    ConnectionError,
    TimeoutError,
)


@contextmanager
def translated(name: str, revision: str | None = None) -> Iterator[None]:
    """Inside it, their errors become ours, about the data set `name`."""
    try:
        yield
    except HfResnetError:
        raise
    except CAUGHT as exc:
        raise _ours(exc, name, revision) from exc


def unreachable(name: str) -> HubError:
    """What to say where the Hub does not answer and the data set was never stored here."""
    if constants.is_offline_mode():
        why = "HF_HUB_OFFLINE is set"
        mend = "unset it"
    else:
        why = f"{constants.ENDPOINT} does not answer"
        mend = "check the network (and HF_ENDPOINT, if you set it)"
    return HubError(
        f"cannot fetch the data set {name}: {why}, and no copy of it is on this machine; {mend}, "
        "or use pictures from here with --train_dir, or sample:digits"
    )


def _ours(exc: BaseException, name: str, revision: str | None) -> HfResnetError:
    chain = list(chain_of(exc))
    text = " ".join(str(each) for each in chain)
    if message := _refused(chain, text, name):
        return HubError(message)
    if message := _unfit(chain, text, name, revision):
        return DataError(message)
    if _any(chain, *UNREACHABLE) or (_any(chain, BROKEN) and status_of(chain[0]) is None):
        return unreachable(name)
    wrapped = isinstance(exc, theirs.DatasetGenerationError) and exc.__cause__
    return DataError(f"cannot read the data set {name}: {_line(wrapped or exc)}")


def _refused(chain: list[BaseException], text: str, name: str) -> str | None:
    """What to say where the Hub answers, but does not give the data set."""
    if _any(chain, hub.GatedRepoError) or "gated dataset" in text:
        return (
            f"the data set {name} is gated: accept its terms at "
            f"{constants.ENDPOINT}/datasets/{name}, then log in with `hf auth login`"
        )
    status = status_of(chain[0])
    if status in (None, 404) or _any(chain, hub.RepositoryNotFoundError):
        return None
    if status == 401:
        return "the Hub does not know your token; log in with `hf auth login`, or set HF_TOKEN"
    return f"the Hub refused the data set {name}, with status {status}; try again later"


def _unfit(chain: list[BaseException], text: str, name: str, revision: str | None) -> str | None:
    """What to say where the data set is not there, or not of a kind that can be used."""
    if _any(chain, hub.RevisionNotFoundError):
        return f"the data set {name} has no revision {revision!r}; leave out @{revision}"
    if "scripts are no longer supported" in text:
        return (
            f"the data set {name} is made by a Python script, which is not run here; many such "
            f"sets have a converted copy: try {name}@refs/convert/parquet"
        )
    if "Config name is missing" in text or "BuilderConfig '" in text:
        choice = text.partition("available configs:")[2] or text.partition("Available:")[2]
        return (
            f"the data set {name} has several configurations, name one with "
            f"--dataset_config_name: {choice.split(']')[0].strip(' [')}"
        )
    if _any(chain, hub.RepositoryNotFoundError, theirs.DatasetNotFoundError, hub.HFValidationError):
        return (
            f"no data set called {name} on the Hub, and no folder of that name here; check its "
            "spelling (OWNER/NAME), or log in with `hf auth login` if it is private"
        )
    if _any(chain, theirs.DataFilesNotFoundError, datasets.data_files.EmptyDatasetError):
        return f"the data set {name} has no files that can be read as pictures or tables"
    return None


def _any(chain: list[BaseException], *types: type[BaseException]) -> bool:
    return any(isinstance(each, types) for each in chain)


def _line(exc: BaseException) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return f"{type(exc).__name__}: {' '.join(lines)[:300]}" if lines else type(exc).__name__
