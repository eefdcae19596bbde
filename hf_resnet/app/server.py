"""A page on the network: brought up, and taken down with all that was uploaded to it.

The surprise: gradio keeps uploads of all its pages on a machine in one folder, from which any of
them may read, and looks up that folder when it is imported. So each server makes a folder of its own
before that, and removes it at the end.
"""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hf_resnet.app.answer import Borrow, Desk, itself
from hf_resnet.app.examples import read_examples
from hf_resnet.app.keeping import keeper
from hf_resnet.config import ModelConfig, ServeConfig
from hf_resnet.errors import ConfigError

if TYPE_CHECKING:
    from gradio import Blocks

    from hf_resnet.app.page import Offer

LOG = logging.getLogger(__name__)


@contextmanager
def served(config: ServeConfig, *, borrow: Borrow = itself) -> Iterator[str]:
    """Within it the page is up; gives its address."""
    model = ModelConfig(
        model_name_or_path=config.model_name_or_path, trust_remote_code=config.trust_remote_code
    )
    with own_uploads() as uploads:
        desk = Desk(model, borrow=borrow)
        for note in desk.notes:
            LOG.warning("%s", note)
        examples = tuple(read_examples(Path(config.model_name_or_path).expanduser()))
        with keeper(config, desk.labels) as keeps:
            desk.warm_up()
            from hf_resnet.app.page import Offer

            offer = Offer(config.lang, keeps, examples)
            yield from _up(config, desk, uploads, offer)


@contextmanager
def own_uploads() -> Iterator[Path]:
    """A folder for what is uploaded to one page, and goes with it; entered before gradio is imported."""
    with tempfile.TemporaryDirectory(prefix="hf_resnet_page_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # nothing is told to anybody
        _need_gradio()
        yield Path(folder)


def without_mcp() -> str | None:
    """Why the page is no tool of language models, where it is none."""
    from hf_resnet.app.programs import has_mcp

    if has_mcp():
        return None
    return "the page is no MCP tool: the package mcp is not installed; pip install 'mcp>=1.21,<2'"


def _need_gradio() -> None:
    try:
        import gradio  # noqa: F401
    except ModuleNotFoundError as exc:
        if exc.name != "gradio":
            raise
        raise ConfigError(
            "the page needs gradio, which is not installed; pip install 'hf-resnet[space]'"
        ) from exc


def _up(config: ServeConfig, desk: Desk, uploads: Path, offer: "Offer") -> Iterator[str]:
    from hf_resnet.app.page import Page
    from hf_resnet.app.programs import has_mcp
    from hf_resnet.app.style import CSS

    blocks = Page(desk, uploads, offer).blocks
    yield from launched(blocks, config.host, config.port, css=CSS, mcp=has_mcp())


def launched(blocks: "Blocks", host: str, port: int, *, css: str, mcp: bool) -> Iterator[str]:
    """The blocks on the network, as every page of ours is brought up; gives their address."""
    import matplotlib.pyplot  # noqa: F401  gradio would import it while the first person waits
    from starlette.middleware import Middleware

    from hf_resnet.app.in_browser import script
    from hf_resnet.app.page import max_file_size
    from hf_resnet.app.room import Bounded
    from hf_resnet.app.style import theme

    bounded = Middleware(Bounded, uploads=Path(blocks.GRADIO_CACHE))
    # it writes a line for every address that a client may not read
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        # gradio tells of the MCP tool even where it is to be quiet; the About tab tells more
        with contextlib.redirect_stdout(io.StringIO()):
            _, address, _ = blocks.launch(
                server_name=host,
                server_port=port,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                show_error=False,
                run_history=False,
                enable_monitoring=False,
                allowed_paths=[],
                max_file_size=max_file_size(),
                app_kwargs={"middleware": [bounded]},
                mcp_server=mcp,
                footer_links=[],
                theme=theme(),
                css=css,
                js=script(),
            )
    except OSError as exc:
        raise ConfigError(
            f"--port {port} on {host} cannot be used ({str(exc).splitlines()[0]}); "
            "name another with --port"
        ) from exc
    if blocks.mcp_error:
        LOG.warning("the page is no MCP tool: %s", blocks.mcp_error)
    try:
        yield address
    finally:
        blocks.close(verbose=False)
