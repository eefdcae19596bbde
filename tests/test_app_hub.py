"""The page of a model that lies on the Hub: `hf-resnet serve OWNER/NAME`, over a Hub on this machine."""

import sys

import pytest

from hf_resnet.classifier import open_classifier
from tests.conftest import photo, png
from tests.hub_server import environment
from tests.page_process import as_file, call, free_port, started, upload
from tests.test_hub_push import session, succeeded  # noqa: F401  a fixture

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")

PUT = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("me/flowers", private=True)
api.upload_folder(repo_id="me/flowers", folder_path=sys.argv[1])
"""


def test_a_model_of_the_hub_is_served_by_its_id_and_answers_a_picture(
    hub,
    session,  # noqa: F811
    family_folders,
    tmp_path,
):
    model = open_classifier(str(family_folders("timm-resnet")))
    succeeded(session(PUT, str(model.save(tmp_path / "model"))))
    port = free_port()
    code = "import sys; from hf_resnet.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "serve", "me/flowers", "--port", str(port)]
    settings = environment(hub, tmp_path / "home", "hf_writer") | {"HF_HUB_OFFLINE": "0"}
    with started(words, f"http://127.0.0.1:{port}", **settings) as page:
        path = upload(page.address, png(photo(3)))
        kind, (answers,) = call(page.address, as_file(path), 2)
    assert kind == "complete"
    assert [each["label"] for each in answers] == [
        each.label for each in model(png(photo(3)), top_k=2)
    ]
