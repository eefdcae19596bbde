"""The page as a Hugging Face Space: the model is $HF_RESNET_MODEL (a Hub id), or ./model beside this.

Settings of the Space: HF_RESNET_MODEL, HF_RESNET_LANG (auto, en, my), HF_RESNET_KEEP_WRONG (a folder).
On ZeroGPU the network borrows a graphics card for the time of a call; elsewhere it runs where it is.
"""

import os
import threading
from pathlib import Path

try:
    from spaces import GPU as borrow  # noqa: N811  it has to come before torch
except ImportError:
    from hf_resnet.app.answer import itself as borrow

from hf_resnet.app.server import served
from hf_resnet.config import ServeConfig

CONFIG = ServeConfig(
    model_name_or_path=os.environ.get("HF_RESNET_MODEL", str(Path(__file__).parent / "model")),
    host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),  # noqa: S104  a Space is for everybody
    port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
    lang=os.environ.get("HF_RESNET_LANG", "auto"),
    keep_wrong=os.environ.get("HF_RESNET_KEEP_WRONG"),
)

if __name__ == "__main__":
    with served(CONFIG, borrow=borrow) as address:
        print(f"the page is up at {address}", flush=True)  # noqa: T201  the Space's log
        threading.Event().wait()
