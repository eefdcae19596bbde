"""Models and data sets opened by their Hub id while the Hub is busy, or the connection breaks."""

import datasets
import pytest

from tests.conftest import photo, png
from tests.hub_server import File, Repo
from tests.test_hub_push import error_of, session, succeeded

__all__ = ["session"]  # a fixture
CODE = """
import sys, time
time.sleep = lambda _: None
from hf_resnet.backbones.reference import fetch
from hf_resnet.errors import HubError
try:
    print(sorted(path.name for path in fetch("me/flowers", "main").iterdir()))
except HubError as exc:
    print(f"error: {exc}", file=sys.stderr)
    raise SystemExit(1)
"""
FILES = "['config.json', 'model.safetensors']"
API = "GET /api/models/me/flowers"
WEIGHTS = "GET /lfs/"


@pytest.fixture
def opened(hub, session):
    """Fetch the model in a process of its own."""
    repo = hub.repos["models", "me/flowers"] = Repo("me/flowers", "models")
    files = {"config.json": File(b"{}", False), "model.safetensors": File(b"x" * 5000, True)}
    repo.add("refs/heads/main", None, files, "by hand", "")
    return lambda: session(CODE)


@pytest.mark.parametrize(
    "fault", [(API, "status", 503), (API, "status", 429), (API, "cut", 9), (WEIGHTS, "status", 500)]
)
def test_what_passes_by_itself_is_waited_for(hub, opened, fault):
    hub.fail(*fault, times=2)
    assert FILES in succeeded(opened())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            (API, "status", 429),
            "is busy or in trouble (status 429) and gave no me/flowers; try again",
        ),
        ((API, "status", 401), "does not know your token; log in with `hf auth login`"),
        ((API, "cut", 9), "did not give me/flowers: peer closed connection"),
        ((WEIGHTS, "cut", 9), "did not give me/flowers: peer closed connection"),
    ],
)
def test_what_does_not_pass_is_one_line_that_says_what_it_is(hub, opened, fault, said):
    hub.fail(*fault, times=999)
    assert said in error_of(opened())


@pytest.mark.parametrize("fault", [(API, "status", 503), (API, "cut", 9), (API, "status", 401)])
def test_what_was_fetched_before_opens_whatever_the_hub_says(hub, opened, fault):
    succeeded(opened())
    hub.fail(*fault, times=999)
    assert FILES in succeeded(opened())


# --- data sets

DATA_CODE = """
import sys, time
time.sleep = lambda _: None
from hf_resnet.data.hub import open_dataset
from hf_resnet.errors import HfResnetError
try:
    print(list(open_dataset("me/pets")))
except HfResnetError as exc:
    print(f"error: {exc}", file=sys.stderr)
    raise SystemExit(1)
"""
DATA = "GET /api/datasets/me/pets"


@pytest.fixture
def loaded(hub, session, tmp_path):
    """Load a data set in a process of its own."""
    repo = hub.repos["datasets", "me/pets"] = Repo("me/pets", "datasets")
    cells = [{"bytes": png(photo(each)), "path": None} for each in range(4)]
    label = datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"image": datasets.Image(), "label": label})
    made = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0, 1]}, features)
    made.to_parquet(tmp_path / "train.parquet")
    content = (tmp_path / "train.parquet").read_bytes()
    files = {"data/train-00000-of-00001.parquet": File(content, True)}
    repo.add("refs/heads/main", None, files, "by hand", "")
    return lambda: session(DATA_CODE)


@pytest.mark.parametrize("fault", [("status", 503), ("cut", 9)])
def test_a_data_set_is_waited_for_too(hub, loaded, fault):
    hub.fail(DATA, *fault, times=2)
    assert "['train']" in succeeded(loaded())


def test_a_token_that_is_none_is_told_of_a_data_set_too(hub, loaded):
    hub.fail(DATA, "status", 401, times=99)
    assert "does not know your token; log in with `hf auth login`" in error_of(loaded())
