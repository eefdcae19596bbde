"""Pictures of a folder, CLASS/FILE, put into a private data set of the Hub in the background.

A picture is taken out of the folder when the data set has it, and not before: what cannot be sent
(no network, no login, the Hub in trouble) stays on the disk and is tried again, also by the next
process. The surprise: a file lies in one class; sent with another one, it leaves the first.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi

from hf_resnet.errors import HfResnetError, HubError, counted
from hf_resnet.hub import contents, repository
from hf_resnet.hub.contents import Item
from hf_resnet.hub.landing import Target, land
from hf_resnet.hub.refusals import CAUGHT, translated

LOG = logging.getLogger(__name__)
FLAG = "--wrong_answers"
AT_ONCE = 50
GATHER = 2.0
"""Seconds in which further pictures go with the first."""

WAITS = (30.0, 120.0, 600.0)
MOST_SENT = 20_000
"""Pictures in the data set; a page that anybody can open must not fill it for ever."""

_CARD = """---
configs:
- config_name: default
  drop_labels: false
  data_files:
  - split: train
    path: train/**
tags:
- image-classification
- hf-resnet
---

Pictures that people reported as answered wrongly, each in the folder of the class they say it is of.
Look through them, then learn from them:

    hf-resnet finetune --model_name_or_path MODEL --dataset_name {repo} --output_dir NEW_MODEL
"""


class Outbox:
    """What is to go from the folder into the data set; sends while it is open."""

    def __init__(self, repo: str, folder: Path) -> None:
        self.repo = repo
        self.folder = folder
        self.sent = 0
        """Pictures that went since it was opened."""

        self._api = HfApi(library_name="hf-resnet")
        self._unread: set[Path] = set()
        self._closed = threading.Event()
        self._nudged = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @contextmanager
    def open(self) -> Iterator["Outbox"]:
        """Within it pictures are sent; what is left over from before goes first."""
        self._nudged.set()
        self._thread.start()
        try:
            yield self
        finally:
            self._closed.set()
            self._nudged.set()
            self._thread.join(timeout=GATHER)  # what is not sent now is sent next time

    def nudge(self) -> None:
        """There is something new in the folder."""
        self._nudged.set()

    def waiting(self) -> list[Path]:
        """The pictures that have not gone yet."""
        return sorted(self.folder.glob("*/*.png"))

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            wait = WAITS[min(failures, len(WAITS)) - 1] if failures else None
            self._nudged.wait(wait)
            self._nudged.clear()
            self._closed.wait(GATHER)
            try:
                while not self._closed.is_set() and self.send():
                    pass
                failures = 0
            except (*CAUGHT, HfResnetError) as exc:  # the disk, the client: it goes on all the same
                failures += 1
                left = counted(len(self.waiting()), "picture")
                LOG.warning("wrong answers could not be sent (%s); %s wait for it", exc, left)

    def send(self) -> int:
        """Send some of what waits, as one commit; how many that were."""
        items: dict[str, Item] = {}
        paths: list[Path] = []
        for path in self.waiting():
            if len(paths) == AT_ONCE:
                break
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # it was given another class meanwhile
                continue
            except OSError as exc:
                self._tell_unread(path, exc)  # the others need not wait for it
                continue
            items[f"train/{path.parent.name}/{path.name}"] = contents.item(content)
            paths.append(path)
        if not items:
            return 0
        with translated(self.repo, FLAG):
            self._land(items)
        for path in paths:
            path.unlink(missing_ok=True)
        self.sent += len(paths)
        return len(paths)

    def _tell_unread(self, path: Path, exc: OSError) -> None:
        """Once for each picture."""
        if path not in self._unread:
            self._unread.add(path)
            LOG.warning("%s cannot be read (%s), and is not sent", path, exc.strerror)

    def _land(self, items: dict[str, Item]) -> None:
        repo = repository.full_name(self._api, self.repo)
        repository.make_repository(self._api, repo, private=True, kind="dataset", flag=FLAG)
        target = Target(self._api, repo, "dataset")
        _, there = target.listing()
        if sum(name.endswith(".png") for name in there) + len(items) > MOST_SENT:
            raise HubError(f"{repo} holds {MOST_SENT:,} pictures already; learn from them first")
        if "README.md" not in there:
            items = {**items, "README.md": contents.item(_CARD.format(repo=repo).encode())}
        names = {Path(name).name for name in items if name.endswith(".png")}
        message = f"{counted(len(names), 'picture')} that people named"
        land(target, items, lambda name: Path(name).name in names, message)
