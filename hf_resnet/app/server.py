"""A page on the network: brought up, and taken down with all that was uploaded to it.

The surprise: gradio keeps uploads of all its pages on a machine in one folder, from which any of
them may read, and looks up that folder when it is imported. So each server makes a folder of its own
before that, and removes it at the end.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_resnet.app.answer import Borrow, Desk, itself
from hf_resnet.app.keeping import check_folder
from hf_resnet.classifier import open_classifier
from hf_resnet.config import ModelConfig, ServeConfig
from hf_resnet.errors import ConfigError


@contextmanager
def served(config: ServeConfig, *, borrow: Borrow = itself) -> Iterator[str]:
    """Within it the page is up; gives its address."""
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    with tempfile.TemporaryDirectory(prefix="hf_resnet_page_") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # nothing is told to anybody
        _need_gradio()
        desk = Desk(open_classifier(model), borrow=borrow)
        keep_wrong = config.keep_wrong
        folder = check_folder(keep_wrong, desk.classifier.labels) if keep_wrong else None
        desk.warm_up()
        yield from _up(config, desk, Path(uploads), folder)


def _need_gradio() -> None:
    try:
        import gradio  # noqa: F401
    except ModuleNotFoundError as exc:
        if exc.name != "gradio":
            raise
        raise ConfigError(
            "the page needs gradio, which is not installed; pip install 'hf-resnet[space]'"
        ) from exc


def _up(config: ServeConfig, desk: Desk, uploads: Path, folder: Path | None) -> Iterator[str]:
    from hf_resnet.app.page import Page, max_file_size
    from hf_resnet.app.style import CSS, theme

    page = Page(desk, uploads, language=config.lang, keep_wrong=folder)
    # it writes a line for every address that a client may not read
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        _, address, _ = page.blocks.launch(
            server_name=config.host,
            server_port=config.port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            show_error=False,
            run_history=False,
            enable_monitoring=False,
            allowed_paths=[],
            max_file_size=max_file_size(),
            footer_links=[],
            theme=theme(),
            css=CSS,
        )
    except OSError as exc:
        raise ConfigError(
            f"--port {config.port} on {config.host} cannot be used ({str(exc).splitlines()[0]}); "
            "name another with --port"
        ) from exc
    try:
        yield address
    finally:
        page.blocks.close(verbose=False)
