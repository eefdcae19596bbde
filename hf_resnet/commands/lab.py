"""hf-resnet lab: the page on which people look inside networks, until Ctrl-C."""

import threading

from hf_resnet.app.lab_server import lab_served
from hf_resnet.config import LabConfig
from hf_resnet.screen import screen


def run(config: LabConfig) -> None:
    """Bring the page up, say where it is, and take it down when told to."""
    console = screen()
    with lab_served(config) as address:
        console.print(f"the page is up at {address}  (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("the page is down")
