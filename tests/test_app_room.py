"""A page that anybody can open: how much it takes in, and what it says where there is no room."""

import errno
import sys
import urllib.error

import pytest

from hf_resnet.app.room import size_of
from hf_resnet.app.words import LANGUAGES, say, trouble
from hf_resnet.errors import ConfigError
from hf_resnet.labels import Labels
from hf_resnet.writing import on_disk
from tests.conftest import NAMES, photo, png
from tests.page_process import as_file, call, free_port, started, upload

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")


def test_uploads_are_refused_in_both_languages_while_their_folder_is_full(family_folders):
    port = free_port()
    code = "import sys; from hf_resnet.app import room; room.MOST_BYTES = 100_000; "
    code += "from hf_resnet.cli import main; sys.exit(main())"
    model = str(family_folders("timm-resnet"))
    words = [sys.executable, "-c", code, "serve", model, "--port", str(port)]
    with started(words, f"http://127.0.0.1:{port}") as page:
        first = upload(page.address, png(photo()))
        upload(page.address, bytes(200_000), "large.png")
        with pytest.raises(urllib.error.HTTPError) as refused:
            upload(page.address, png(photo(1)))
        with refused.value:
            said = refused.value.read().decode()
            assert refused.value.code == 507
        assert said == " ".join(say(language, "no_room") for language in LANGUAGES)
        assert call(page.address, as_file(first), 5)[0] == "complete", "what is here is answered"
        assert "Traceback" not in page.said()


def test_the_size_of_a_folder_is_that_of_all_files_in_it(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.png").write_bytes(bytes(7))
    (tmp_path / "2.png").write_bytes(bytes(5))
    (tmp_path / "gone.png").symlink_to("nowhere")
    assert size_of(tmp_path) == 12 + len("nowhere")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_goes_wrong_in_a_known_way_is_told_in_the_language_of_the_page(
    language, tmp_path, monkeypatch
):
    from hf_resnet.app import keeping

    monkeypatch.setattr(keeping, "MOST_KEPT", 0)
    with pytest.raises(ConfigError) as full:
        keeping.keep(photo(), NAMES[0], labels=Labels(NAMES), folder=tmp_path)
    with pytest.raises(ConfigError) as no_room, on_disk("the picture", "make room"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert trouble(language, full.value) == say(language, "kept_full")
    assert trouble(language, no_room.value) == say(language, "no_room")
    other = ConfigError("something else")
    assert trouble(language, other) == say(language, "cannot", reason="something else")
