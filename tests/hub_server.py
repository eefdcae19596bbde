"""A small Hub on this machine, for the real `huggingface_hub` client to talk to over HTTP.

`python -m tests.hub_server` starts one for a person to try things with; everything in it is in memory
and gone with the process. It holds models, data sets and Spaces as lists of commits, takes large files
through another origin (localhost, where the rest is 127.0.0.1) as the real one does, and misbehaves
when told to: see Fault. The surprise: file names and revisions come quoted, so paths are matched as
they were sent. What it does not know: Xet, pagination, teams, quotas.
"""

import asyncio
import base64
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

LARGE = (".safetensors", ".onnx", ".parquet", ".bin", ".arrow")
PREFIX = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
TOKENS = {"hf_writer": ("me", "write"), "hf_reader": ("me", "read"), "hf_other": ("you", "write")}


@dataclass
class Fault:
    """What goes wrong with the requests that `where` finds in 'METHOD /path', so many `times`, `after`
    so many that nothing happened to.

    kind: status (answer that code and do nothing), cut (break the connection after so many bytes of
    the body of a PUT or of an answer), lost (do it, and break the connection before answering),
    wrong (one byte of the body of a PUT or of an answer is another), slow (answer after so many
    seconds), late (break the connection at once, and do it so many seconds later).
    """

    where: str
    kind: str
    amount: float = 0
    times: int = 1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    content: bytes
    large: bool

    @property
    def etag(self) -> str:
        return sha256(self.content).hexdigest() if self.large else self.oid

    @property
    def oid(self) -> str:
        """The id of the blob that git keeps, which for a large file is a pointer to it."""
        return _git_id(self._pointer() if self.large else self.content)

    def _pointer(self) -> bytes:
        oid = sha256(self.content).hexdigest()
        size = len(self.content)
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()
        )

    def info(self, path: str) -> dict[str, Any]:
        told = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        if self.large:
            size = len(self._pointer())
            told["lfs"] = {"oid": self.etag, "size": len(self.content), "pointerSize": size}
        return told


@dataclass(frozen=True)
class Commit:
    id: str
    files: dict[str, File]
    title: str
    message: str = ""
    parent: "Commit | None" = None

    def line(self) -> "list[Commit]":
        return [self, *(self.parent.line() if self.parent else [])]


@dataclass
class Repo:
    id: str
    kind: str
    private: bool = False
    gated: bool = False
    refs: dict[str, Commit] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=lambda: {"secrets": {}, "variables": {}})

    def commit_at(self, revision: str) -> Commit | None:
        for ref in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if ref in self.refs:
                return self.refs[ref]
        every = [commit for tip in self.refs.values() for commit in tip.line()]
        return next((commit for commit in every if commit.id == revision), None)

    def add(self, ref: str, parent: Commit | None, files: dict[str, File], title: str, note: str):
        seed = f"{self.id} {ref} {parent and parent.id} {sorted(files)} {title} {time.time_ns()}"
        commit = Commit(sha1(seed.encode()).hexdigest(), files, title, note, parent)  # noqa: S324
        self.refs[ref] = commit
        return commit


@dataclass
class Hub:
    """The repositories, by kind and id, and what was asked of them."""

    endpoint: str = ""
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    """Large files by the hash that the client gave them; whether it is so is another matter."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    later: "asyncio.Task[None] | None" = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def repo(self, name: str, kind: str = "models") -> Repo:
        return self.repos[kind, name]

    def files(self, name: str, revision: str = "main", kind: str = "models") -> dict[str, bytes]:
        """What a reader finds there."""
        commit = self.repo(name, kind).commit_at(revision)
        return {path: file.content for path, file in commit.files.items()} if commit else {}

    def commits(self, name: str, revision: str = "main", kind: str = "models") -> list[Commit]:
        """Newest first; the last is the one that a new repository begins with."""
        commit = self.repo(name, kind).commit_at(revision)
        return commit.line() if commit else []

    def fail(
        self, where: str, kind: str, amount: float = 0, *, times: int = 1, after: int = 0
    ) -> None:
        self.faults.append(Fault(where, kind, amount, times, after))

    def forget(self) -> None:
        for store in (self.repos, self.large, self.faults, self.asked, self.answers):
            store.clear()

    def fault_for(self, said: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if not fault.times or not re.search(fault.where, said):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["raw_path"].decode().partition("?")[0]
        said = f"{scope['method']} {path}"
        self.asked.append(said)
        fault = self.fault_for(said)
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            await asyncio.sleep(fault.amount)
        if fault and kind == "status":
            answer: Response = JSONResponse({"error": "told to"}, int(fault.amount), fault.headers)
            await Request(scope, receive).body()
            await answer(scope, receive, send)
            return
        if fault and kind == "cut" and scope["method"] == "PUT":
            await _read_part(receive, int(fault.amount))
            await _break(send, {"type": "http.response.start", "status": 200, "headers": []})
            return
        request = Request(scope, receive)
        body = await request.body()
        if kind == "wrong" and scope["method"] == "PUT":
            body = _another_byte(body)
        if fault and kind == "late":
            self.later = asyncio.create_task(self._late(fault.amount, request, path, body))
            await _break(send, {"type": "http.response.start", "status": 200, "headers": []})
            return
        answer = self._answer(request, path, body)
        await _sent(answer, fault, scope, receive, send)

    async def _late(self, seconds: float, request: Request, path: str, body: bytes) -> None:
        await asyncio.sleep(seconds)
        self._answer(request, path, body)

    def _answer(self, request: Request, path: str, body: bytes) -> Response:
        with self.lock:
            answer = answered(self, request, path, body)
        self.answers.append(f"{request.method} {path} {answer.status_code}")
        return answer


async def _sent(
    answer: Response, fault: Fault | None, scope: Scope, receive: Receive, send: Send
) -> None:
    kind = fault.kind if fault else ""
    if scope["method"] == "GET" and kind == "wrong":
        answer.body = _another_byte(bytes(answer.body))
    if kind in ("lost", "cut") and fault:
        start: Message = {"type": "http.response.start", "status": answer.status_code}
        some = bytes(answer.body)[: int(fault.amount)] if kind == "cut" else b""
        headers = answer.raw_headers if some else []
        await _break(send, {**start, "headers": headers}, some)
        return
    await answer(scope, receive, send)


async def _break(send: Send, start: Message, some: bytes = b"") -> None:
    """Begin an answer and never end it, upon which the server hangs up."""
    if not some:
        start = {**start, "headers": [(b"content-length", b"1")]}
    await send(start)
    await send({"type": "http.response.body", "body": some, "more_body": True})


async def _read_part(receive: Receive, size: int) -> None:
    got = 0
    while got < size:
        message = await receive()
        got += len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _another_byte(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


def _git_id(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324  as git does


# What is answered. Every answer is told the hub, the request and its body, and the parts of its path.


def refused(status: int, code: str = "", message: str = "", **more: Any) -> Response:
    headers = {"X-Error-Code": code} if code else {}
    headers |= {"X-Error-Message": message} if message else {}
    return JSONResponse({"error": message or code or str(status), **more}, status, headers)


NOT_FOUND = ("RepoNotFound", "Repository not found")


def answered(hub: Hub, request: Request, path: str, body: bytes) -> Response:
    user, role = _user(request)
    if user == "?":
        return refused(401, "", "Invalid credentials in Authorization header")
    writes = request.method in ("POST", "PUT", "DELETE") and not re.search(
        "validate-yaml|paths-info|/lfs/", path
    )
    if writes and role is None:
        return refused(401, "", "Invalid username or password.")
    if writes and role == "read":
        message = "you must use a write token to create or change a repository"
        return refused(403, "", message)
    for method, pattern, answer in ROUTES:
        if request.method in method.split() and (found := re.fullmatch(pattern, path)):
            parts = {name: unquote(each or "") for name, each in found.groupdict().items()}
            if "id" not in parts:
                return answer(hub, request, body, parts, user)
            parts["kind"] = parts.get("kind", "").strip("/") or "models"
            repo = hub.repos.get((parts["kind"], parts["id"]))
            owner = parts["id"].partition("/")[0]
            if repo is None or (repo.private and user != owner):
                return refused(404 if user else 401, *NOT_FOUND)
            asks = "create_pr" in request.query_params or "refs/pr/" in parts.get("rev", "")
            if writes and user != owner and not asks and "preupload" not in path:
                return refused(403, "", f"you have no right to write to {parts['id']}")
            return answer(hub, request, body, {**parts, "repo": repo}, user)
    return refused(404, "", f"no such address: {path}")


def _user(request: Request) -> tuple[str | None, str | None]:
    said = request.headers.get("authorization")
    if said is None:
        return None, None
    return TOKENS.get(said.removeprefix("Bearer "), ("?", None))


Answer = Callable[[Hub, Request, bytes, dict[str, Any], str | None], Response]


def whoami(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    if user is None:
        return refused(401, "", "Invalid username or password.")
    token = {"displayName": "test", "role": _user(request)[1]}
    return JSONResponse({"name": user, "type": "user", "orgs": [], "auth": {"accessToken": token}})


def validate(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    import yaml

    content = json.loads(body)["content"]
    found = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
    try:
        facts = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError as exc:
        return JSONResponse({"errors": [{"message": str(exc)}], "warnings": []}, 400)
    if facts is None:
        return JSONResponse({"errors": [], "warnings": [{"message": "empty or missing metadata"}]})
    wrong = [
        f'"{key}" must be text' for key in ("license", "library_name") if not _text(facts, key)
    ]
    wrong += [
        f'"model-index[0].results" lacks {key}'
        for result in (facts.get("model-index") or [{}])[0].get("results", [])
        for key in ("task", "dataset", "metrics")
        if key not in result
    ]
    return JSONResponse(
        {"errors": [{"message": each} for each in wrong], "warnings": []}, 400 if wrong else 200
    )


def _text(facts: dict, key: str) -> bool:
    return isinstance(facts.get(key, ""), str)


def create(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    wanted = json.loads(body)
    kind = f"{wanted.get('type') or 'model'}s"
    owner = wanted.get("organization") or user
    name = f"{owner}/{wanted['name']}"
    url = f"{hub.endpoint}/{PREFIX[kind]}{name}"
    if (kind, name) in hub.repos:
        return refused(409, "", f"You already created this {kind[:-1]} repo", url=url)
    if owner != user:
        return refused(403, "", f"you have no right to create a repository for {owner}")
    private = wanted.get("visibility") == "private" or wanted.get("private", False)
    repo = hub.repos[kind, name] = Repo(name, kind, private)
    repo.space |= {"sdk": wanted.get("sdk"), "hardware": wanted.get("hardware"), "restarts": 0}
    for each in ("secrets", "variables"):
        repo.space[each] = {one["key"]: one.get("value") for one in wanted.get(each, [])}
    first = {".gitattributes": File(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", False)}
    repo.add("refs/heads/main", None, first, "initial commit", "")
    return JSONResponse({"url": url, "id": name, "name": name})


def delete(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    wanted = json.loads(body)
    key = (
        f"{wanted.get('type') or 'model'}s",
        f"{wanted.get('organization') or user}/{wanted['name']}",
    )
    return JSONResponse({}) if hub.repos.pop(key, None) else refused(404, *NOT_FOUND)


def info(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    repo: Repo = parts["repo"]
    commit = repo.commit_at(parts.get("rev") or "main")
    if commit is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    siblings = [{"rfilename": path} for path in commit.files]
    told = {"id": repo.id, "sha": commit.id, "private": repo.private, "siblings": siblings}
    return JSONResponse({**told, "tags": [], "downloads": 0, "likes": 0, "gated": repo.gated})


def tree(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    commit = parts["repo"].commit_at(parts["rev"])
    if commit is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    below = parts.get("path", "").strip("/")
    start = f"{below}/" if below else ""
    names = [path for path in commit.files if path.startswith(start)]
    if not names and below:
        return refused(404, "EntryNotFound", f"{below} does not exist")
    whole = request.query_params.get("recursive", "").lower() in ("true", "1")
    told: dict[str, dict[str, Any]] = {}
    for path in sorted(names):
        first, deeper, _ = path.removeprefix(start).partition("/")
        if deeper:
            told[start + first] = {
                "type": "directory",
                "path": start + first,
                "size": 0,
                "oid": "0" * 40,
            }
        if whole or not deeper:
            told[path] = commit.files[path].info(path)
    return JSONResponse(list(told.values()))


def paths_info(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    commit = parts["repo"].commit_at(parts["rev"])
    if commit is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    wanted = json.loads(body)["paths"]
    found = [commit.files[path].info(path) for path in wanted if path in commit.files]
    for path in wanted:
        if any(each.startswith(f"{path}/") for each in commit.files):
            found.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
    return JSONResponse(found)


def refs(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    kinds = {"branches": "refs/heads/", "tags": "refs/tags/", "pullRequests": "refs/pr/"}
    told: dict[str, list[Any]] = {"converts": []}
    for kind, start in kinds.items():
        told[kind] = [
            {"name": ref.removeprefix(start), "ref": ref, "targetCommit": commit.id}
            for ref, commit in parts["repo"].refs.items()
            if ref.startswith(start)
        ]
    return JSONResponse(told)


def commits(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    commit = parts["repo"].commit_at(parts["rev"])
    if commit is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    return JSONResponse(
        [
            {
                "id": each.id,
                "title": each.title,
                "message": each.message,
                "date": "2026-01-01T00:00:00.000Z",
                "authors": [{"user": "me"}],
            }
            for each in commit.line()
        ]
    )


def new_ref(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    repo: Repo = parts["repo"]
    wanted = json.loads(body or b"{}")
    name = f"refs/heads/{parts['branch']}" if "branch" in parts else f"refs/tags/{wanted['tag']}"
    begin = repo.commit_at(wanted.get("startingPoint") or parts.get("rev") or "main")
    if begin is None:
        return refused(404, "RevisionNotFound", "Invalid rev id")
    if name in repo.refs:
        return refused(409, "", f"Reference already exists: {name}")
    repo.refs[name] = begin
    return JSONResponse({})


def old_ref(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    name = f"refs/heads/{parts['branch']}" if "branch" in parts else f"refs/tags/{parts['rev']}"
    gone = parts["repo"].refs.pop(name, None)
    return JSONResponse({}) if gone else refused(404, "RevisionNotFound", "no such reference")


def preupload(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    commit = parts["repo"].commit_at(parts["rev"])
    if commit is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    told = []
    for each in json.loads(body)["files"]:
        large = each["path"].endswith(LARGE) or each["size"] > 10 << 20
        there = commit.files.get(each["path"])
        mode = "lfs" if large else "regular"
        oid = there.etag if there else None
        told.append({"path": each["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return JSONResponse({"files": told})


def batch(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    if user is None:
        return refused(401, "", "Invalid username or password.")
    elsewhere = hub.endpoint.replace("127.0.0.1", "localhost")
    told = []
    for each in json.loads(body)["objects"]:
        answer: dict[str, Any] = {"oid": each["oid"], "size": each["size"]}
        if sha256(hub.large.get(each["oid"], b"")).hexdigest() != each["oid"]:
            answer["actions"] = {
                "upload": {"href": f"{elsewhere}/lfs/{each['oid']}"},
                "verify": {"href": f"{hub.endpoint}/lfs/verify"},
            }
        told.append(answer)
    return JSONResponse({"transfer": "basic", "objects": told})


def put_large(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    hub.large[parts["oid"]] = body
    return Response(status_code=200)


def verify(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    said = json.loads(body)
    right = len(hub.large.get(said["oid"], b"")) == said["size"]
    return JSONResponse({}) if right else refused(404, "", "no such object")


def get_large(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    return _part(request, hub.large[parts["oid"]], {"ETag": f'"{parts["oid"]}"'})


def commit(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    repo: Repo = parts["repo"]
    lines = [json.loads(line) for line in body.splitlines() if line]
    head = lines[0]["value"]
    parent = repo.commit_at(parts["rev"])
    as_pr = "create_pr" in request.query_params
    if parent is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    if head.get("parentCommit") not in (None, parent.id):
        return refused(412, "", "A commit has happened since. Please refresh and try again.")
    files = dict(parent.files)
    for line in lines[1:]:
        if problem := _apply(hub, files, line["key"], line["value"]):
            return problem
    number = 1 + sum(ref.startswith("refs/pr/") for ref in repo.refs)
    branch = parts["rev"] if parts["rev"].startswith("refs/") else f"refs/heads/{parts['rev']}"
    ref = f"refs/pr/{number}" if as_pr else branch
    made = repo.add(ref, parent, files, head["summary"], head.get("description", ""))
    url = f"{hub.endpoint}/{PREFIX[repo.kind]}{repo.id}"
    told = {"success": True, "commitOid": made.id, "commitUrl": f"{url}/commit/{made.id}"}
    return JSONResponse(
        {**told, "pullRequestUrl": f"{url}/discussions/{number}" if as_pr else None}
    )


def _apply(hub: Hub, files: dict[str, File], key: str, value: dict[str, Any]) -> Response | None:
    path = value["path"]
    if key == "file":
        files[path] = File(base64.b64decode(value["content"]), False)
    elif key == "lfsFile" and value["oid"] in hub.large:
        files[path] = File(hub.large[value["oid"]], True)
    elif key == "deletedFile" and path in files:
        del files[path]
    elif key == "deletedFolder":
        for each in [each for each in files if each.startswith(path)]:
            del files[each]
    else:
        return refused(400, "", f"cannot do {key} with {path}")
    return None


def resolve(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    repo: Repo = parts["repo"]
    if repo.gated and user != repo.id.partition("/")[0]:
        return refused(403, "GatedRepo", "Access to this model is restricted")
    found = repo.commit_at(parts["rev"])
    if found is None:
        return refused(404, "RevisionNotFound", f"Invalid rev id: {parts['rev']}")
    file = found.files.get(parts["path"])
    if file is None:
        answer = refused(404, "EntryNotFound", "Entry not found")
        answer.headers["X-Repo-Commit"] = found.id
        return answer
    headers = {"X-Repo-Commit": found.id, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    if not file.large:
        return _part(request, file.content, headers)
    hub.large[file.etag] = file.content
    elsewhere = hub.endpoint.replace("127.0.0.1", "localhost")
    headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
    return RedirectResponse(f"{elsewhere}/lfs/{file.etag}", 302, headers)


def _part(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if span is None:
        return Response(content, 200, headers)
    end = min(int(span[2]) + 1 if span[2] else len(content), len(content))
    headers = {**headers, "Content-Range": f"bytes {span[1]}-{end - 1}/{len(content)}"}
    return Response(content[int(span[1]) : end], 206, headers)


def space(hub: Hub, request: Request, body: bytes, parts: dict, user: str | None) -> Response:
    """Secrets (whose values are never told), variables, the state of the machine, a restart.

    A Space runs at once; a test that wants it otherwise puts into `stages` what it is to go through
    (the last one stays), into `error` what the Hub says of it, and into `log` the lines of its log.
    """
    repo, what = parts["repo"], parts["what"]
    state = repo.space
    said = json.loads(body or b"{}")
    if what in ("secrets", "variables"):
        if request.method == "DELETE":
            state[what].pop(said["key"], None)
        elif request.method == "POST":
            state[what][said["key"]] = said["value"]
        shown = {
            key: {"value": state[what][key]} if what == "variables" else {} for key in state[what]
        }
        return JSONResponse({key: {"key": key, **each} for key, each in shown.items()})
    if what.startswith("logs/"):
        events = [f"data: {json.dumps({'data': line})}\n\n" for line in state.get("log", ())]
        return Response("".join(events), 200, {"Content-Type": "text/event-stream"})
    if what == "restart":
        state["restarts"] += 1
        state["stages"] = ["RUNNING"]
    if what == "hardware":
        state["hardware"] = said["flavor"]
    stages = state.setdefault("stages", ["RUNNING"])
    stage = stages.pop(0) if len(stages) > 1 and what == "runtime" else stages[0]
    hardware = {"current": state.get("hardware"), "requested": None}
    told = {"stage": stage, "hardware": hardware, "sha": repo.commit_at("main").id}
    if "error" in state:
        told["errorMessage"] = state["error"]
    return JSONResponse(told)


_KIND = "(?P<kind>models|datasets|spaces)"
_ID = "(?P<id>[^/]+/[^/]+)"
_API = f"/api/{_KIND}/{_ID}"
_GIT = f"/(?P<kind>datasets/|spaces/)?{_ID}"
ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/validate-yaml", validate),
    ("POST", "/api/repos/create", create),
    ("DELETE", "/api/repos/delete", delete),
    ("GET", f"{_API}(/revision/(?P<rev>[^/]+))?", info),
    ("GET", f"{_API}/tree/(?P<rev>[^/]+)(?P<path>/.*)?", tree),
    ("POST", f"{_API}/paths-info/(?P<rev>[^/]+)", paths_info),
    ("GET", f"{_API}/refs", refs),
    ("GET", f"{_API}/commits/(?P<rev>[^/]+)", commits),
    ("POST", f"{_API}/(branch/(?P<branch>[^/]+))", new_ref),
    ("POST", f"{_API}/(tag/(?P<rev>[^/]+))", new_ref),
    ("DELETE", f"{_API}/(branch/(?P<branch>[^/]+))", old_ref),
    ("DELETE", f"{_API}/(tag/(?P<rev>[^/]+))", old_ref),
    ("POST", f"{_API}/preupload/(?P<rev>[^/]+)", preupload),
    ("POST", f"{_API}/commit/(?P<rev>[^/]+)", commit),
    (
        "GET POST DELETE",
        rf"{_API}/(?P<what>secrets|variables|runtime|restart|hardware|logs/\w+)",
        space,
    ),
    ("POST", rf"{_GIT}\.git/info/lfs/objects/batch", batch),
    ("POST", "/lfs/verify", verify),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", put_large),
    ("GET HEAD", "/lfs/(?P<oid>[0-9a-f]{64})", get_large),
    ("GET HEAD", f"{_GIT}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", resolve),
)


@contextmanager
def running(port: int = 0) -> Iterator[Hub]:
    """A Hub that answers at `hub.endpoint` for as long as the block lasts."""
    hub = Hub()
    listening = socket.create_server(("127.0.0.1", port))
    hub.endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(hub, log_level="critical", lifespan="off", ws="none", http="h11")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield hub
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        listening.close()


def environment(hub: Hub, home: object, token: str | None = None) -> dict[str, str]:
    """What a process needs in its environment to take this Hub for the real one."""
    told = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home)}
    return {**told, "HF_TOKEN": token} if token else told


PORT = 8899


@contextmanager
def _or_told(hub):
    """The Hub, or one line where another one runs already."""
    with ExitStack() as held:
        try:
            found = held.enter_context(hub)
        except OSError as exc:
            raise SystemExit(
                f"error: port {PORT} cannot be had ({exc.strerror}); is one running?"
            ) from exc
        yield found


def main() -> None:
    with _or_told(running(PORT)) as hub, suppress(KeyboardInterrupt):
        settings = environment(hub, "/tmp/hub-home", next(iter(TOKENS)))  # noqa: S108
        lines = [f"export {name}={value}" for name, value in settings.items()]
        sys.stdout.write(
            "A Hub of your own; ^C ends it, and forgets all. It has no pages to look at.\n"
        )
        sys.stdout.write("Type in another terminal:\n" + "\n".join(lines) + "\n")
        sys.stdout.write(f"and to go back to the real one:\nunset {' '.join(settings)}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
