"""The lab as a Hugging Face Space: what its app.py calls.

Settings: HF_RESNET_MODEL (one more network to choose), HF_RESNET_LANG (auto, en, my) and
HF_RESNET_DEGRADE (a folder that hf-resnet degrade wrote; else `degrade` beside app.py, where there is
one, else the figures of the README).
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from hf_resnet.app.lab_server import lab_served
from hf_resnet.config import LabConfig
from hf_resnet.errors import HfResnetError


def main() -> None:
    """Bring the lab up with what the environment says, and leave it up."""
    try:
        with lab_served(_config()) as address:
            _say(f"the page is up at {address}")
            threading.Event().wait()
    except HfResnetError as exc:
        sys.exit(f"error: {exc}")
    except KeyboardInterrupt:
        _say("the page is down")


def _config() -> LabConfig:
    lang: Any = os.environ.get("HF_RESNET_LANG", "auto")  # LabConfig looks whether it is one
    beside = Path(sys.argv[0]).resolve().parent / "degrade"
    return LabConfig(
        model_name_or_path=os.environ.get("HF_RESNET_MODEL") or None,
        host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),  # noqa: S104  it is for everybody
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        lang=lang,
        degrade_dir=os.environ.get("HF_RESNET_DEGRADE")
        or (str(beside) if beside.is_dir() else None),
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")  # the Space's log
    sys.stdout.flush()
