"""A repository on the Hub and its names for commits: made where missing, looked at, tagged.

Every call here may be given again at any time and comes to the same. Knows nothing of models.
"""

from typing import Any, Literal

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub import errors as hub
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from hf_resnet.errors import HubError
from hf_resnet.hub.refusals import translated
from hf_resnet.patience import patiently

Kind = Literal["model", "space", "dataset"]
FLAGS: dict[Kind, str] = {
    "model": "--hub_model_id",
    "space": "--space_id",
    "dataset": "--hub_dataset_id",
}
"""What names a repository of each kind on the command line, if nothing else does."""


def check_sayable(repo: str, token: str | None) -> None:
    """Stop where a push can never come to anything, by what is known without asking the Hub: long work
    may come before it."""
    with translated(repo):
        validate_repo_id(repo)
        if not (token or get_token()):
            raise hub.LocalTokenNotFoundError("no token")


def full_name(api: HfApi, repo: str) -> str:
    """OWNER/NAME, after asking who is logged in, and whether they may write at all."""
    who = patiently(api.whoami)
    token = who.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise HubError(
            "you are logged in with a token that may only read; make one with write access at "
            "https://huggingface.co/settings/tokens and log in with `hf auth login`"
        )
    return repo if "/" in repo else f"{who['name']}/{repo}"


def make_repository(
    api: HfApi,
    repo: str,
    *,
    private: bool,
    kind: Kind = "model",
    flag: str | None = None,
    **options: Any,
) -> bool:
    """See to it that there is one; whether it had to be made. The flag is what named it; options are
    create_repo's."""
    flag = flag or FLAGS[kind]
    found = find(api, repo, kind)
    missing = found is None
    if missing:
        patiently(lambda: _create(api, repo, private=private, repo_type=kind, **options))
        found = find(api, repo, kind)
    if found is None:
        raise HubError(f"the name {repo} is taken, by what you may not see; choose another {flag}")
    if private and not found.private:
        raise HubError(
            f"{repo} is there already, and public, where it is to be private; make it so in its "
            f"settings on the Hub, or choose another {flag}"
        )
    return missing


def _create(api: HfApi, repo: str, **options: Any) -> None:
    try:
        api.create_repo(repo, **options)
    except hub.HfHubHTTPError as exc:
        # that it is there already may be the doing of a call whose answer was lost
        if exc.response.status_code != 409:
            raise


def find(api: HfApi, repo: str, kind: Kind = "model") -> Any:
    """What the Hub tells of it; None where there is none."""
    try:
        return patiently(lambda: api.repo_info(repo, repo_type=kind))
    except hub.RepositoryNotFoundError:
        return None


def make_branch(api: HfApi, repo: str, branch: str) -> None:
    """See to it that there is one; a new one begins where main is."""
    try:
        head(api, repo, branch)
    except hub.RevisionNotFoundError:
        patiently(lambda: api.create_branch(repo, branch=branch, exist_ok=True))


def head(api: HfApi, repo: str, revision: str, kind: Kind = "model") -> str:
    """The commit that the revision is now."""
    return str(patiently(lambda: api.repo_info(repo, revision=revision, repo_type=kind)).sha)


def files(api: HfApi, repo: str, commit: str, kind: Kind = "model") -> dict[str, Any]:
    """The files of a commit by their path, each as a RepoFile with its size and hashes."""
    found = patiently(
        lambda: list(api.list_repo_tree(repo, recursive=True, revision=commit, repo_type=kind))
    )
    return {each.path: each for each in found if hasattr(each, "blob_id")}


def pull_requests(api: HfApi, repo: str) -> dict[str, str]:
    """The commit of every pull request, open or not, by its revision."""
    refs = patiently(lambda: api.list_repo_refs(repo, include_pull_requests=True))
    return {each.ref: each.target_commit for each in refs.pull_requests or []}


def tagged(api: HfApi, repo: str, tag: str) -> str | None:
    """The commit that the tag stands for."""
    refs = patiently(lambda: api.list_repo_refs(repo))
    return next((each.target_commit for each in refs.tags if each.name == tag), None)


def make_tag(api: HfApi, repo: str, tag: str, commit: str) -> None:
    """See to it that the tag stands for the commit."""
    patiently(lambda: api.create_tag(repo, tag=tag, revision=commit, exist_ok=True))
    if tagged(api, repo, tag) != commit:
        raise HubError(
            f"the model is at {repo}, but somebody else just took the tag {tag}; push again with "
            "another --tag"
        )


def url(repo: str, revision: str) -> str:
    """Where a person looks at it."""
    number = revision.removeprefix("refs/pr/")
    if number != revision:
        return f"{constants.ENDPOINT}/{repo}/discussions/{number}"
    return f"{constants.ENDPOINT}/{repo}" + ("" if revision == "main" else f"/tree/{revision}")
