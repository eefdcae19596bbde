"""Checkpoints of a run that is going on, kept on a branch of its repository as well.

Sent in the background, the newest only: training waits for no network, and where one cannot be sent
it says so and the next one is. A machine that is lost loses what came after the last one sent. When
the run is done its branch is taken away, unless somebody else put something on it. The surprise: files
are linked aside before they are sent, since the run takes old checkpoints away.
"""

import os
import re
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub import errors as hub

from hf_resnet.errors import HubError, ModelError, listed
from hf_resnet.hub import contents, repository
from hf_resnet.hub.landing import Target, land
from hf_resnet.hub.refusals import CAUGHT, translated
from hf_resnet.patience import patiently
from hf_resnet.training.checkpoint import steps_in
from hf_resnet.training.log import LOG_FILE
from hf_resnet.writing import on_disk

BRANCH = "hf-resnet-training"
ASIDE = ".pushing"
_MOST_BYTES = 50 * 10**9
_OURS = re.compile(r"(step-[0-9]{8,})/\w[\w.-]*")


class Backup:
    """`with Backup(...) as backup: backup.keep(folder / "step-00000120")`."""

    def __init__(
        self,
        repo: str,
        folder: Path,
        tell: Callable[[str], None],
        *,
        private: bool = False,
        token: str | None = None,
    ) -> None:
        self.repo, self.private = repo, private
        self._api = HfApi(token=token, library_name="hf-resnet")
        self._before: dict[str, Any] | None = None
        """The files of main when this run first used the branch; None while it has not."""

        self._folder = folder
        self._tell = tell
        self._work: threading.Thread | None = None
        self._next: Path | None = None
        self._lock = threading.Lock()

    def keep(self, checkpoint: Path) -> None:
        """Send this one as soon as the one before it is sent; returns at once."""
        aside = self._folder / ASIDE / checkpoint.name
        try:
            _link(checkpoint, aside)
            shutil.copyfile(self._folder / LOG_FILE, aside / LOG_FILE)  # it grows: no link
        except OSError as exc:
            self._tell(f"not pushed: {checkpoint.name}: {exc.strerror}")
            return
        with self._lock:
            passed_over, self._next = self._next, aside
            if self._work is None or not self._work.is_alive():
                self._work = threading.Thread(target=self._send_all, daemon=True)
                self._work.start()
        if passed_over is not None:
            shutil.rmtree(passed_over, ignore_errors=True)

    def close(self) -> None:
        """Wait until the last one is sent."""
        work = self._work  # the thread itself sets it to None when it has no more to do
        if work is not None:
            work.join()
        shutil.rmtree(self._folder / ASIDE, ignore_errors=True)

    def _send_all(self) -> None:
        while True:
            with self._lock:
                checkpoint, self._next = self._next, None
                if checkpoint is None:
                    self._work = None
                    return
            try:
                self._send(checkpoint)
            except (HubError, *CAUGHT) as exc:
                self._tell(f"not pushed: {checkpoint.name}: {exc}; training goes on")
            shutil.rmtree(checkpoint, ignore_errors=True)

    def _send(self, checkpoint: Path) -> None:
        with translated(self.repo):
            repo = repository.full_name(self._api, self.repo)
            repository.make_repository(self._api, repo, private=self.private)
            if self._before is None:
                self._before = self._files(repo, "main")
            repository.make_branch(self._api, repo, BRANCH)
            items = {
                f"{checkpoint.name}/{path.name}": contents.item(path)
                for path in sorted(checkpoint.iterdir())
            }
            items[LOG_FILE] = items.pop(f"{checkpoint.name}/{LOG_FILE}")
            target = Target(self._api, repo, "model", BRANCH)
            land(target, items, _is_ours, f"Unfinished run, {checkpoint.name}")

    def fetch(self) -> None:
        """Put the checkpoint of the branch into the run's folder, where none as new is."""
        with translated(self.repo):
            repo = repository.full_name(self._api, self.repo) if "/" not in self.repo else self.repo
            try:
                head = repository.head(self._api, repo, BRANCH)
            except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError):
                self._tell(f"{repo} holds no unfinished run, so this one begins anew")
                return
            there = repository.files(self._api, repo, head)
            steps = {found[1] for name in there if (found := _OURS.fullmatch(name))}
            newest = max(steps, key=_number, default=None)
            here = max(map(_number, (path.name for path in steps_in(self._folder))), default=-1)
            if newest is None:
                return
            self._before = self._files(repo, "main")
            if here >= _number(newest):
                return
            self._tell(f"fetching {newest} from {repo}")
            wanted = [name for name in there if name == LOG_FILE or _is_ours(name, newest)]
            self._fetch(repo, head, newest, {name: there[name].size for name in wanted})

    def _fetch(self, repo: str, head: str, step: str, sizes: dict[str, int]) -> None:
        """Aside first, then by one renaming; what it holds is checked by who goes on from it."""
        if sum(sizes.values()) > _MOST_BYTES:
            raise ModelError(f"the branch {BRANCH} of {repo} is not as hf_resnet writes it")
        folder, aside = self._folder, self._folder / ASIDE / "fetched"
        shutil.rmtree(aside, ignore_errors=True)
        with on_disk(f"the checkpoint in {folder}", "make room", needs=sum(sizes.values())):
            aside.mkdir(parents=True)
            for name in sizes:
                found = patiently(partial(self._api.hf_hub_download, repo, name, revision=head))
                shutil.copyfile(found, aside / name.rpartition("/")[2])
            if (aside / LOG_FILE).exists():
                (aside / LOG_FILE).replace(folder / LOG_FILE)
            aside.rename(folder / step)
        shutil.rmtree(folder / ASIDE, ignore_errors=True)

    def forget(self) -> None:
        """Take the branch away, when the run is done and its model pushed: only where this run used it,
        and nothing is on it but what runs put there. Where that fails it is told, and no more."""
        if self._before is None:
            return
        try:
            with translated(self.repo):
                self._forget(self._before)
        except (HubError, *CAUGHT) as exc:
            self._tell(f"the branch {BRANCH} of {self.repo} is left as it is: {exc}")

    def _forget(self, before: dict[str, Any]) -> None:
        repo = repository.full_name(self._api, self.repo)
        try:
            there = self._files(repo, BRANCH)
        except hub.RevisionNotFoundError:
            return
        mains = (before, self._files(repo, "main"))
        foreign = [
            name
            for name, each in there.items()
            if not (_is_ours(name) or name == LOG_FILE)
            and not any(name in main and main[name].blob_id == each.blob_id for main in mains)
        ]
        if foreign:
            raise HubError(f"it holds {listed(foreign)}, which no run put there")
        patiently(lambda: self._api.delete_branch(repo, branch=BRANCH))

    def _files(self, repo: str, branch: str) -> dict[str, Any]:
        return repository.files(self._api, repo, repository.head(self._api, repo, branch))


def _number(step: str) -> int:
    return int(step.removeprefix("step-"))


def _is_ours(name: str, step: str | None = None) -> bool:
    """Whether it is a file of a checkpoint, or of this one."""
    found = _OURS.fullmatch(name)
    return found is not None and step in (None, found[1])


def _link(checkpoint: Path, aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for path in checkpoint.iterdir():
        try:
            os.link(path, aside / path.name)
        except OSError:  # a disk without links
            shutil.copyfile(path, aside / path.name)
