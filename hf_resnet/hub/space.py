"""A page put on the Hub as a Space: made, told its settings, filled in one commit, and waited for.

Each step looks before it acts, so that the same call again comes to the same. Settings are set before
the files come, since each of them would build the page anew. What a page is, it does not know.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub import errors as hub

from hf_resnet.errors import HubError, counted, listed
from hf_resnet.hub import repository
from hf_resnet.hub.contents import item
from hf_resnet.hub.landing import Target, land
from hf_resnet.hub.refusals import CAUGHT, translated
from hf_resnet.hub.staging import MARK, README, Space, is_ours, readme, staged
from hf_resnet.patience import patiently

Tell = Callable[[str], None]
LOOK_EVERY = 5.0
LONGEST_BUILD = 30 * 60.0
UP = ("RUNNING", "SLEEPING")
FAILED = ("BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE")
ASLEEP = ("PAUSED", "STOPPED")
LOG_LINES = 5
_OF_A_NEW_SPACE = {".gitattributes", README}


@dataclass(frozen=True)
class Deployment:
    """A Space and what is set in it."""

    space: Space
    repo: str
    """OWNER/NAME, or NAME for one's own."""

    private: bool = False
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """By their name; None where there is to be none."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Deployed:
    """Where the page is, and the commit that it is made of."""

    repo: str
    commit: str
    url: str


def deploy(wanted: Deployment, tell: Tell) -> Deployed:
    """Bring the Space about as it is wanted."""
    api = HfApi(library_name="hf-resnet")
    items = staged(wanted.space)
    with translated(wanted.repo, "--space_id"):
        repo = repository.full_name(api, wanted.repo)
        _check_model(api, wanted)
        made = _make(api, repo, wanted)
        if made:
            tell(f"made the {'private' if wanted.private else 'public'} Space {repo}")
        target = Target(api, repo, "space")
        before = _before(target)
        _set(api, repo, wanted)
        if not made:
            _move(api, repo, wanted.space.hardware)
        items[README] = item(readme(wanted.space, before).encode())
        message = f"Page of {counted(len(items), 'file')} from hf-resnet"
        commit, changed = land(target, items, is_ours, message)
        if not changed:
            _wake(api, repo)
    return Deployed(repo, commit, f"{constants.ENDPOINT}/spaces/{repo}")


def _check_model(api: HfApi, wanted: Deployment) -> None:
    """Stop before anything is made where the Space could not open the model."""
    if wanted.space.folder is not None:
        return
    name = wanted.space.model.partition("@")[0]
    found = repository.find(api, name)
    if found is None:
        raise HubError(
            f"the Hub has no model {name}, and there is no folder of that name; check its spelling"
        )
    if found.private and not wanted.secrets:
        raise HubError(
            f"{name} is private, and the Space needs a login to read it; give it one with "
            "--space_token, or give the model's folder instead"
        )


def _make(api: HfApi, repo: str, wanted: Deployment) -> bool:
    hardware = wanted.space.hardware
    options = {"space_sdk": "gradio", "space_hardware": hardware}
    with _paid(hardware):
        return repository.make_repository(
            api, repo, private=wanted.private, kind="space", **options
        )


def _move(api: HfApi, repo: str, hardware: str) -> None:
    """To the machine that is wanted, where it runs on another."""
    now = patiently(lambda: api.get_space_runtime(repo))
    if hardware not in (now.requested_hardware, now.hardware):
        with _paid(hardware):
            patiently(lambda: api.request_space_hardware(repo, hardware))  # type: ignore[arg-type]


@contextmanager
def _paid(hardware: str) -> Iterator[None]:
    """Within it, what has to be paid for is told with what is free."""
    try:
        yield
    except hub.HfHubHTTPError as exc:
        if exc.response.status_code != 402:
            raise
        said = exc.server_message or "payment required"
        free = "--hardware zero-a10g, of which a free account may have two"
        if hardware == "zero-a10g":
            free = "one of your other ZeroGPU Spaces deleted first (a free account may have two)"
        raise HubError(
            f"the Hub wants a paid plan for a Space on {hardware} ({said}); free are: {free}; or "
            "hf-resnet serve on a machine of your own; see https://huggingface.co/pricing"
        ) from exc


def _before(target: Target) -> str:
    """The README of the Space that is there; an error where the Space is somebody's own work."""
    head, there = target.listing()
    theirs = sorted(set(there) - _OF_A_NEW_SPACE)
    if theirs and MARK not in there:
        raise HubError(
            f"{target.repo} is a Space that deploy-space did not write, and what it holds "
            f"({listed(theirs)}) could be lost; choose another --space_id"
        )
    if README not in there:
        return ""
    path = patiently(
        lambda: target.api.hf_hub_download(
            target.repo, README, revision=head, repo_type=target.kind
        )
    )
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _set(api: HfApi, repo: str, wanted: Deployment) -> None:
    """Variables as wanted, those of others left alone; a secret cannot be compared, so it is set."""
    there = patiently(lambda: api.get_space_variables(repo))
    for name, value in wanted.variables.items():
        if value is None and name in there:
            patiently(lambda name=name: api.delete_space_variable(repo, name))  # type: ignore[misc]
        elif value is not None and (name not in there or there[name].value != value):
            patiently(lambda name=name, value=value: api.add_space_variable(repo, name, value))  # type: ignore[misc]
    for name, value in wanted.secrets.items():
        patiently(lambda name=name, value=value: api.add_space_secret(repo, name, value))  # type: ignore[misc]


def _wake(api: HfApi, repo: str) -> None:
    """Start the page anew where nothing has changed and it is not up."""
    stage = patiently(lambda: api.get_space_runtime(repo)).stage
    if stage in ASLEEP or stage in FAILED:
        patiently(lambda: api.restart_space(repo))


def wait(deployed: Deployed, tell: Tell, *, longest: float = LONGEST_BUILD) -> None:
    """Return when the page is up; an error with the Hub's own words where it does not come up."""
    api, said, until = HfApi(library_name="hf-resnet"), "", time.monotonic() + longest
    with translated(deployed.repo, "--space_id"):
        while True:
            now = patiently(lambda: api.get_space_runtime(deployed.repo))
            # a page of before may still be up while the new one is not yet being built
            is_new = now.raw.get("sha") in (None, deployed.commit)
            if now.stage != said:
                said = str(now.stage)
                tell(f"the Space is {said.lower().replace('_', ' ')}")
            if is_new and now.stage in UP:
                return
            if is_new and now.stage in FAILED:
                raise HubError(_why(api, deployed, now))
            if now.stage in ASLEEP:
                raise HubError(
                    f"the Space {deployed.repo} is {said.lower()}, and not started; start it at "
                    f"{deployed.url}/settings"
                )
            if time.monotonic() > until:
                raise HubError(
                    f"the Space is not up after {longest / 60:.0f} minutes (it is {said.lower()}); "
                    f"look at {deployed.url}"
                )
            time.sleep(LOOK_EVERY)


def _why(api: HfApi, deployed: Deployed, now: Any) -> str:
    """What the Hub says of a page that did not come up, and the end of its log."""
    told = [str(now.raw.get("errorMessage") or "")]
    building = now.stage != "RUNTIME_ERROR"
    try:
        lines = [each.strip() for each in api.fetch_space_logs(deployed.repo, build=building)]
    except CAUGHT:
        lines = []  # the log is an extra; the address of all of it is in the message
    told += [each for each in lines if each][-LOG_LINES:]
    said = " | ".join(each for each in told if each) or "no reason given"
    return (
        f"the Space did not come up ({str(now.stage).lower().replace('_', ' ')}): {said}; all of the "
        f"log is at {deployed.url}?logs={'build' if building else 'container'}"
    )
