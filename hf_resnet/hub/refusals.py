"""What the Hub's client raises, as one line a person can use. Knows nothing of what was being done."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub import errors as hub

from hf_resnet.errors import HubError
from hf_resnet.patience import BROKEN, chain_of, status_of

CAUGHT = (BROKEN, OSError, RuntimeError, ValueError)


@contextmanager
def translated(repo: str, flag: str = "--hub_model_id") -> Iterator[None]:
    """Inside it, what the Hub refuses is a HubError about the repository, which the flag names."""
    try:
        yield
    except CAUGHT as exc:
        told = _told(exc, repo, flag)
        if told is None:
            raise
        raise HubError(told) from exc


_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def _told(exc: BaseException, repo: str, flag: str) -> str | None:
    """The line for a person; None where the Hub and the disk have nothing to do with it."""
    chain, status = list(chain_of(exc)), status_of(exc)
    if line := _of_the_text(exc):
        return line
    known = next((line for kind, line in _BY_KIND.items() if _any(chain, kind)), None)
    if known is None and status is not None:
        known = _BY_STATUS.get(status, _TROUBLE if status >= 500 else _REFUSED)
    if known is None and _any(chain, BROKEN):
        known = _NO_ANSWER
    if known is None:
        return _of_the_disk(chain)
    words = {"said": _said(chain), "why": _line(chain[-1]), "status": status}
    words |= {"endpoint": constants.ENDPOINT, "log_in": _LOG_IN, "flag": flag}
    return known.format(repo=repo, **words)


def _of_the_text(exc: BaseException) -> str | None:
    """Of errors that only their words tell apart."""
    if "metadata in README.md" in str(exc):
        return f"the Hub does not take the head of README.md: {_line(exc)}; mend what stands there"
    if "LFS batch API" in str(exc) or isinstance(exc, json.JSONDecodeError):
        return f"the Hub answered what cannot be understood: {_line(exc)}; push again later"
    return None


def _of_the_disk(chain: list[BaseException]) -> str | None:
    disk = next((each for each in chain if isinstance(each, OSError) and each.errno), None)
    if disk is None:
        return None
    mend = "make room" if disk.errno == errno.ENOSPC else "mend that"
    return f"the disk refused {disk.filename or 'a file'}: {disk.strerror}; {mend} and push again"


_BY_KIND: dict[type[BaseException], str] = {
    hub.LocalTokenNotFoundError: "you are not logged in to the Hub, and pushing needs it: {log_in}",
    hub.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set, so nothing can be pushed; unset it",
    hub.GatedRepoError: "{repo} is gated; ask for access at {endpoint}/{repo}",
    hub.HFValidationError: (
        "{repo!r} cannot be a name on the Hub; write OWNER/NAME in letters, digits, - _ and ."
    ),
    hub.RevisionNotFoundError: "{repo} has no such revision; name a branch that is there",
}
_BY_STATUS = {
    401: "the Hub does not know your token ({said}); {log_in}",
    402: "the Hub wants a paid plan for this ({said}); see https://huggingface.co/pricing",
    403: (
        "the Hub does not let you write to {repo} ({said}); use a token with write access "
        "(https://huggingface.co/settings/tokens), or a name of your own"
    ),
    404: "the Hub has no {repo}, or you may not see it; check its spelling",
    409: "the name {repo} is taken ({said}); choose another {flag}",
    412: "others keep pushing to {repo}; push again when they are done",
    429: "the Hub takes no more from you for a while (429, too many requests); push again later",
}


_TROUBLE = "the Hub is in trouble (status {status}) and did not recover; push again later"
_REFUSED = "the Hub refused {repo} with status {status} ({said})"
_NO_ANSWER = "{endpoint} does not answer ({why}); check the network, and HF_ENDPOINT if you set it"


def _said(chain: list[BaseException]) -> str:
    """The Hub's own words."""
    words = [getattr(each, "server_message", None) for each in chain]
    return next(
        (_line_of(each) for each in words if isinstance(each, str) and each), "no reason given"
    )


def _any(chain: list[BaseException], *types: type[BaseException]) -> bool:
    return any(isinstance(each, types) for each in chain)


def _line(exc: BaseException) -> str:
    return _line_of(str(exc)) or type(exc).__name__


def _line_of(text: str) -> str:
    return " ".join(text.split())[:300]
