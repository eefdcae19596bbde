"""The page as a Hugging Face Space: what its app.py calls.

The model is $HF_RESNET_MODEL (a Hub id), or the folder `model` beside app.py. Other settings:
HF_RESNET_LANG (auto, en, my); HF_RESNET_WRONG_ANSWERS (a data set of the Hub for pictures that were
answered wrongly, with a login in the secret HF_TOKEN) or HF_RESNET_KEEP_WRONG (a folder for them).
The surprise: on ZeroGPU the network borrows a graphics card for the time of a call, through the
package `spaces`, which has to be imported before torch; elsewhere there is none, and it runs where it
is.
"""

import importlib
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import Any

from hf_resnet.config import ServeConfig
from hf_resnet.errors import HfResnetError


def main() -> None:
    """Bring the page up with what the environment says, and leave it up."""
    borrow = _borrowing()
    from hf_resnet.app.server import served, without_mcp

    try:
        with served(_config(), borrow=borrow) as address:
            if problem := without_mcp():
                _say(problem)
            _say(f"the page is up at {address}")
            threading.Event().wait()
    except HfResnetError as exc:
        sys.exit(f"error: {exc}")
    except KeyboardInterrupt:
        _say("the page is down")


def _borrowing() -> Any:
    """What lends a graphics card for the time of a call; imported before torch is."""
    found = importlib.util.find_spec("spaces")
    if found is None or found.origin is None:  # a mere folder of that name is no package
        from hf_resnet.app.answer import itself

        return itself
    return importlib.import_module("spaces").GPU


def _config() -> ServeConfig:
    lang: Any = os.environ.get("HF_RESNET_LANG", "auto")  # ServeConfig looks whether it is one
    folder = Path(sys.argv[0]).resolve().parent / "model"
    return ServeConfig(
        model_name_or_path=os.environ.get("HF_RESNET_MODEL", str(folder)),
        host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),  # noqa: S104  it is for everybody
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        lang=lang,
        keep_wrong=os.environ.get("HF_RESNET_KEEP_WRONG"),
        wrong_answers=os.environ.get("HF_RESNET_WRONG_ANSWERS"),
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")  # the Space's log
    sys.stdout.flush()
