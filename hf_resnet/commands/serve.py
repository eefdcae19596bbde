"""hf-resnet serve: the page on which people ask the model, until Ctrl-C."""

import threading

from hf_resnet.app.server import served, without_mcp
from hf_resnet.config import ServeConfig
from hf_resnet.screen import screen


def run(config: ServeConfig) -> None:
    """Bring the page up, say where it is, and take it down when told to."""
    console = screen()
    with served(config) as address:
        if problem := without_mcp():
            console.print(problem)
        console.print(f"the page is up at {address}  (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("the page is down")
