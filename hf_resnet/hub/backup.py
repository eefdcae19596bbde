"""Checkpoints of a run that is going on, kept on a branch of its repository as well.

Sent in the background, the newest only: training waits for no network, and where one cannot be sent
it says so and the next one is. A machine that is lost loses what came after the last one sent. The
surprise: files are linked aside before they are sent, since the run takes old checkpoints away.
"""

import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub import errors as hub

from hf_resnet.errors import HubError, ModelError
from hf_resnet.hub import contents, repository
from hf_resnet.hub.landing import Target, land
from hf_resnet.hub.refusals import patiently, translated
from hf_resnet.training.checkpoint import steps_in
from hf_resnet.training.log import LOG_FILE
from hf_resnet.writing import on_disk

BRANCH = "training"
ASIDE = ".pushing"
_MOST_BYTES = 50 * 10**9


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
        if self._work is not None:
            self._work.join()
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
            except HubError as exc:
                self._tell(f"not pushed: {checkpoint.name}: {exc}; training goes on")
            shutil.rmtree(checkpoint, ignore_errors=True)

    def _send(self, checkpoint: Path) -> None:
        with translated(self.repo):
            repo = repository.full_name(self._api, self.repo)
            repository.make_repository(self._api, repo, private=self.private)
            repository.make_branch(self._api, repo, BRANCH)
            items = {
                f"{checkpoint.name}/{path.name}": contents.item(path)
                for path in sorted(checkpoint.iterdir())
            }
            items[LOG_FILE] = items.pop(f"{checkpoint.name}/{LOG_FILE}")
            target = Target(self._api, repo, "model", BRANCH)
            land(target, items, _is_ours, f"Unfinished run, {checkpoint.name}")


def fetch(
    repo: str, folder: Path, tell: Callable[[str], None], *, token: str | None = None
) -> None:
    """Put the checkpoint of the repository's branch into the folder, where none as new is."""
    api = HfApi(token=token, library_name="hf-resnet")
    with translated(repo):
        repo = repository.full_name(api, repo) if "/" not in repo else repo
        try:
            head = repository.head(api, repo, BRANCH)
        except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError):
            tell(f"{repo} holds no unfinished run, so this one begins anew")
            return
        there = repository.files(api, repo, head)
        names = sorted({name.partition("/")[0] for name in there if _is_ours(name)})
        here = [path.name for path in steps_in(folder)]
        if not names or (here and here[-1] >= names[-1]):
            return
        tell(f"fetching {names[-1]} from {repo}")
        wanted = [name for name in there if name.startswith(f"{names[-1]}/") or name == LOG_FILE]
        _fetch(api, repo, head, {name: there[name].size for name in wanted}, folder)


def _fetch(api: HfApi, repo: str, head: str, sizes: dict[str, int], folder: Path) -> None:
    """Aside first, then by one renaming; what it holds is checked by who goes on from it."""
    if sum(sizes.values()) > _MOST_BYTES or any(name.count("/") > 1 for name in sizes):
        raise ModelError(f"the branch {BRANCH} of {repo} is not as hf_resnet writes it")
    aside = folder / ASIDE / "fetched"
    shutil.rmtree(aside, ignore_errors=True)
    with on_disk(f"the checkpoint in {folder}", "make room", needs=sum(sizes.values())):
        aside.mkdir(parents=True)
        for name in sizes:
            found = patiently(partial(api.hf_hub_download, repo, name, revision=head))
            shutil.copyfile(found, aside / name.rpartition("/")[2])
        if (aside / LOG_FILE).exists():
            (aside / LOG_FILE).replace(folder / LOG_FILE)
        aside.rename(folder / max(sizes).partition("/")[0])
    shutil.rmtree(folder / ASIDE, ignore_errors=True)


def forget(repo: str, *, token: str | None = None) -> None:
    """Take the branch away, when the run is done and its model pushed."""
    api = HfApi(token=token, library_name="hf-resnet")
    with translated(repo):
        full = repository.full_name(api, repo)
        try:
            patiently(lambda: api.delete_branch(full, branch=BRANCH))
        except hub.HfHubHTTPError as exc:
            if exc.response.status_code != 404:
                raise


def _is_ours(name: str) -> bool:
    return name.startswith("step-")


def _link(checkpoint: Path, aside: Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for path in checkpoint.iterdir():
        try:
            os.link(path, aside / path.name)
        except OSError:  # a disk without links
            shutil.copyfile(path, aside / path.name)
