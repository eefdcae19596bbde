"""Files put into a repository as one commit, whatever happens on the way.

It looks, and where the files are there it is done; else it commits and looks again. So an answer that
was lost, a commit of somebody else's in between and bytes that the Hub kept wrong all come to the
same: the next look tells. Knows nothing of what the files are.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

from hf_resnet.errors import HubError, listed
from hf_resnet.hub import repository
from hf_resnet.hub.contents import Item
from hf_resnet.hub.refusals import CAUGHT
from hf_resnet.hub.repository import Kind
from hf_resnet.patience import WAITS, passes, pause, status_of

MOST_TRIES = 12
"""Of one commit; where many push at once, each try that another one wins is one."""

REPAIRS = 3


@dataclass(frozen=True)
class Target:
    """A branch of a repository, and the login to write to it."""

    api: HfApi
    repo: str
    kind: Kind
    branch: str = "main"

    def listing(self) -> tuple[str, dict[str, Any]]:
        """The newest commit, and its files."""
        head = repository.head(self.api, self.repo, self.branch, self.kind)
        return head, repository.files(self.api, self.repo, head, self.kind)


def land(
    target: Target, items: Mapping[str, Item], is_stale: Callable[[str], bool], message: str
) -> tuple[str, bool]:
    """See to it that the repository holds the items and nothing stale; the commit, and whether
    anything had to be changed. is_stale is asked of what is there and is none of the items."""
    changed, commits = False, 0
    for attempt in range(MOST_TRIES):
        head, there = target.listing()
        missing = not_in(there, items)
        stale = [name for name in there if name not in items and is_stale(name)]
        if not missing and not stale:
            return head, changed
        if commits == REPAIRS:
            raise HubError(
                f"the Hub keeps other bytes than were sent of {listed(missing + stale)}, each time; "
                "try again later"
            )
        new = [CommitOperationAdd(name, items[name].source) for name in missing]
        old = [CommitOperationDelete(name, is_folder=False) for name in stale]
        try:
            with one_commit():
                target.api.create_commit(
                    target.repo,
                    [*new, *old],
                    commit_message=message,
                    repo_type=target.kind,
                    revision=target.branch,
                    parent_commit=head,
                )
            commits += 1
        except CAUGHT as exc:
            busy = status_of(exc) == 412
            if not (busy or passes(exc)) or attempt + 1 == MOST_TRIES:
                raise
            if attempt >= len(WAITS) and not busy:
                raise
            pause(exc, WAITS[min(attempt, len(WAITS) - 1)])
        changed = True
    raise HubError(f"others keep writing to {target.repo}; try again when they are done")


@dataclass
class _Xet:
    """Whether the client takes Xet, which is one setting for the whole process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    commits: int = 0
    """Those that are being made now, by whatever thread."""

    was_off: bool = False


_XET = _Xet()


@contextmanager
def one_commit() -> Iterator[None]:
    """Within it large files go the way that makes one commit of all."""
    with _XET.lock:
        if not _XET.commits:
            _XET.was_off = constants.HF_HUB_DISABLE_XET
            constants.HF_HUB_DISABLE_XET = True
        _XET.commits += 1
    try:
        yield
    finally:
        with _XET.lock:
            _XET.commits -= 1
            if not _XET.commits:
                constants.HF_HUB_DISABLE_XET = _XET.was_off


def not_in(there: Mapping[str, Any], items: Mapping[str, Item]) -> list[str]:
    """The items that the listing does not have, or has otherwise."""
    return [
        name
        for name, each in items.items()
        if name not in there or not each.is_listed_as(there[name])
    ]
