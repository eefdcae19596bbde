"""A model folder put on the Hub: one commit, never half of one, never twice.

Before every try it looks at what is there. Where the repository holds our files already, the work is
done, whoever did it: so an answer that was lost, a process that was killed and a push that is given
again all come to the same. And every commit names the commit it stands on, so that one which arrives
late, after we gave it up, is refused (412) instead of being a second one.

The surprise: Xet, the Hub's newer way of taking large files, is off here. With it a push of many
files is several commits, and a reader can meet half a model. And nothing says that what the Hub keeps
is what was sent, so the listing is compared with our own hashes, and wrong files are sent once more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from hf_resnet.errors import ConfigError, HubError, counted, listed
from hf_resnet.hub import contents, pending, repository
from hf_resnet.hub.card import card
from hf_resnet.hub.compare import Model, compared, lost_classes
from hf_resnet.hub.contents import CARD_FILE, FACTS_FILE, SPLITS_FILE, Item, inside
from hf_resnet.hub.landing import MOST_TRIES, not_in, one_commit
from hf_resnet.hub.pending import Wanted
from hf_resnet.hub.refusals import CAUGHT, translated
from hf_resnet.patience import WAITS, passes, patiently, pause, status_of

Tell = Callable[[str], None]
REPAIRS = 2
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf")


class WrongBytesError(HubError):
    """What was sent is there, and not as it was sent: a push that is to be given again."""


@dataclass(frozen=True)
class Published:
    """Where the model is now."""

    repo: str
    revision: str
    commit: str
    url: str


@dataclass(frozen=True)
class Push:
    """One push: what to whom, and by which login."""

    api: HfApi
    wanted: Wanted
    items: Mapping[str, Item]
    """The files; the card is among them once it is settled."""

    own_card: str
    """The README.md of the model folder, '' where it has none."""

    tell: Tell


@dataclass(frozen=True)
class Standing:
    """How the repository stands against what we want."""

    head: str
    """The commit that a new one goes on."""

    items: Mapping[str, Item]
    """Our files, with the card as it is to be there."""

    there: Mapping[str, Any]
    """The Hub's listing."""

    @property
    def missing(self) -> list[str]:
        """Files of ours that are not there, or are otherwise."""
        return not_in(self.there, self.items)

    @property
    def stale(self) -> list[str]:
        """Files of an earlier model that this one does not have."""
        return [name for name in self.there if contents.is_pushed(name) and name not in self.items]

    @property
    def is_done(self) -> bool:
        return not self.missing and not self.stale


@dataclass(frozen=True)
class Landed:
    """A commit that holds our files, if the Hub kept them as they were sent."""

    commit: str
    revision: str
    items: Mapping[str, Item]


def publish(folder: Path, wanted: Wanted, tell: Tell, *, token: str | None = None) -> Published:
    """Push the model folder; what cannot be finished is kept beside it for the next time.

    token is a login for this push alone; without one it is the usual login's.
    """
    if wanted.create_pr and wanted.tag:
        raise ConfigError("a pull request cannot have a tag; leave out --tag, or --create_pr")
    own_card = folder / CARD_FILE
    text = inside(folder, own_card).read_text("utf-8", "replace") if own_card.is_file() else ""
    with translated(wanted.repo):
        validate_repo_id(wanted.repo)  # what cannot be a name can never be finished
    wanted = _going_on(folder, wanted)
    api = HfApi(token=token, library_name="hf-resnet")
    push = Push(api, wanted, contents.contents(folder), text, tell)
    _keep(folder, push)
    try:
        with translated(wanted.repo), one_commit():
            landed = _pushed(folder, push)
    except (HubError, ConfigError) as exc:
        # it was we who refused, or a person has to mend something: there is nothing to finish
        if isinstance(exc, ConfigError) or (
            exc.__cause__ is None and not isinstance(exc, WrongBytesError)
        ):
            pending.done(folder)
        raise
    pending.done(folder)
    return landed


def _going_on(folder: Path, wanted: Wanted) -> Wanted:
    """With what an unfinished push to the same place knew."""
    before = pending.pending(folder)
    place = (wanted.repo, wanted.revision, wanted.create_pr)
    if before is None or (before.repo, before.revision, before.create_pr) != place:
        return wanted
    return replace(wanted, known_requests=before.known_requests)


def _keep(folder: Path, push: Push) -> None:
    if problem := pending.keep(folder, push.wanted):
        push.tell(problem)


def _pushed(folder: Path, push: Push) -> Published:
    api, wanted = push.api, push.wanted
    repo = repository.full_name(api, wanted.repo)
    if wanted.create_pr:
        if repository.find(api, repo) is None:
            raise HubError(f"there is no {repo} to ask for a change of; leave out --create_pr")
        if wanted.known_requests is None:
            known = tuple(repository.pull_requests(api, repo))
            wanted = replace(wanted, known_requests=known)
            _keep(folder, replace(push, wanted=wanted))
    else:
        if repository.make_repository(api, repo, private=wanted.private):
            push.tell(f"made the {'private' if wanted.private else 'public'} repository {repo}")
        repository.make_branch(api, repo, wanted.revision)
    push = replace(push, wanted=replace(wanted, repo=repo))
    _check_tag(push)
    landed = _landed_and_verified(push)
    if wanted.tag and repository.tagged(api, repo, wanted.tag) is None:
        repository.make_tag(api, repo, wanted.tag, landed.commit)
    place = repository.url(repo, landed.revision)
    return Published(repo, landed.revision, landed.commit, place)


def _check_tag(push: Push) -> None:
    """Stop before anything is sent where the tag stands for another version."""
    repo, tag = push.wanted.repo, push.wanted.tag
    commit = repository.tagged(push.api, repo, tag) if tag else None
    if commit is not None and not _standing(push, commit).is_done:
        raise HubError(
            f"{repo} has the tag {tag} already, for another version; name another --tag, or take "
            "that one away on the Hub"
        )


def _landed_and_verified(push: Push) -> Landed:
    repo = push.wanted.repo
    landed = _landed(push)
    for _ in range(REPAIRS):
        wrong = not_in(repository.files(push.api, repo, landed.commit), landed.items)
        if not wrong:
            return landed
        push.tell(f"the Hub keeps other bytes than were sent of {listed(wrong)}; sending again")
        there = replace(push.wanted, create_pr=False, revision=landed.revision)
        landed = _landed(replace(push, wanted=there, items=landed.items))
    wrong = not_in(repository.files(push.api, repo, landed.commit), landed.items)
    if wrong:
        raise WrongBytesError(
            f"the Hub keeps other bytes than were sent of {listed(wrong)}, each time; do not use "
            f"{repo} at {landed.commit[:7]}, and push again later"
        )
    return landed


def _landed(push: Push) -> Landed:
    """Commit our files, unless they are there; look again after everything that went wrong."""
    wanted = push.wanted
    for attempt in range(MOST_TRIES):
        standing = _standing(push, wanted.revision)
        if standing.is_done:
            return Landed(standing.head, wanted.revision, standing.items)
        if request := _request_that_holds(push, standing):
            return request
        _refuse_foreign(push, standing)
        _refuse_worse(push, standing)
        try:
            return _commit(push, standing)
        except CAUGHT as exc:
            busy = status_of(exc) == 412
            if attempt + 1 == MOST_TRIES or not (busy or passes(exc)):
                raise
            if attempt >= len(WAITS) and not busy:
                return _landed_after_all(push, exc)
            pause(exc, WAITS[min(attempt, len(WAITS) - 1)])
    raise AssertionError("the last try returns or raises")


def _landed_after_all(push: Push, failed: Exception) -> Landed:
    """The last look, after which no other try follows."""
    standing = _standing(push, push.wanted.revision)
    if standing.is_done:
        return Landed(standing.head, push.wanted.revision, standing.items)
    if request := _request_that_holds(push, standing):
        return request
    raise failed


def _commit(push: Push, standing: Standing) -> Landed:
    wanted = push.wanted
    new = [CommitOperationAdd(name, standing.items[name].source) for name in standing.missing]
    old = [CommitOperationDelete(name, is_folder=False) for name in standing.stale]
    _refuse_changed(new, standing)
    made = push.api.create_commit(
        wanted.repo,
        [*new, *old],
        commit_message=f"Model of {counted(len(standing.items), 'file')} from hf-resnet",
        revision=wanted.revision,
        create_pr=wanted.create_pr,
        parent_commit=standing.head,
    )
    return Landed(made.oid, made.pr_revision or wanted.revision, standing.items)


def _refuse_changed(new: Iterable[CommitOperationAdd], standing: Standing) -> None:
    """Stop where files are not those any more that were looked at: half of another model, it may be."""
    hashes = {each.path_in_repo: each.upload_info.sha256.hex() for each in new}
    changed = [name for name, found in hashes.items() if found != standing.items[name].sha256]
    if changed:
        raise HubError(
            f"{listed(changed)} changed while the model was being pushed, and nothing was sent; push "
            "again when nothing writes to the folder"
        )


def _standing(push: Push, revision: str) -> Standing:
    """Compare what is at the revision with what we want there."""
    api, repo = push.api, push.wanted.repo
    head = repository.head(api, repo, revision)
    there = repository.files(api, repo, head)
    items = dict(push.items)
    if CARD_FILE not in items:
        theirs = _read(push, head, CARD_FILE) if CARD_FILE in there else ""
        wanted, cards = push.wanted, (push.own_card, theirs)
        text = card(push.items, repo, cards, license=wanted.license, force=wanted.force)
        items[CARD_FILE] = contents.item(text.encode())
    return Standing(head, items, there)


def _read(push: Push, commit: str, name: str) -> str:
    path = patiently(lambda: push.api.hf_hub_download(push.wanted.repo, name, revision=commit))
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _refuse_foreign(push: Push, standing: Standing) -> None:
    """Stop where a model of other making would be replaced; a pull request replaces nothing yet."""
    theirs = [name for name in standing.there if _is_of_a_model(name)]
    if theirs and FACTS_FILE not in standing.there and not (wanted := push.wanted).force:
        if wanted.create_pr:
            return
        raise HubError(
            f"{wanted.repo} holds a model that hf-resnet did not push ({listed(theirs, most=3)}); "
            "choose another --hub_model_id, or replace it with --force"
        )


def _is_of_a_model(name: str) -> bool:
    return name == "config.json" or name.endswith(WEIGHTS)


def _refuse_worse(push: Push, standing: Standing) -> None:
    """Stop where people would get a worse model, or one that has forgotten classes."""
    models = _models(push, standing)
    if models is None:
        return
    repo, lost, found = push.wanted.repo, lost_classes(*models), compared(*models)
    if found and found.is_worse and not push.wanted.force:
        raise HubError(
            f"this model is worse than the one at {repo}: {found}; push it all the same with --force"
        )
    if lost and not push.wanted.force:
        raise HubError(
            f"the one at {repo} knows {listed(lost)}, and this model does not; push it all the same "
            "with --force, or to another --hub_model_id"
        )
    if found:
        push.tell(f"compared with {repo}: {found}")


def _models(push: Push, standing: Standing) -> tuple[Model, Model] | None:
    """Ours and the one that is there, where it is ours as well and another one."""
    names = (FACTS_FILE, SPLITS_FILE)
    if FACTS_FILE not in standing.there or FACTS_FILE not in standing.missing:
        return None
    here = [contents.text_of(push.items, name) for name in names]
    there = [_read(push, standing.head, name) if name in standing.there else "" for name in names]
    return Model.of(*here), Model.of(*there)


def _request_that_holds(push: Push, standing: Standing) -> Landed | None:
    """Our pull request, where it was made and the answer lost."""
    api, wanted = push.api, push.wanted
    if not wanted.create_pr:
        return None
    for revision, commit in repository.pull_requests(api, wanted.repo).items():
        is_new = revision not in (wanted.known_requests or ())
        if is_new and not not_in(repository.files(api, wanted.repo, commit), standing.items):
            return Landed(commit, revision, standing.items)
    return None
