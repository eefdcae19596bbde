"""The lab on the network, brought up and taken down like the classifier's page."""

from collections.abc import Iterator
from contextlib import contextmanager

from hf_resnet.app.lab_measured import measured
from hf_resnet.app.lab_work import Bench, networks
from hf_resnet.app.server import launched, own_uploads
from hf_resnet.config import LabConfig


@contextmanager
def lab_served(config: LabConfig) -> Iterator[str]:
    """Within it the lab is up; gives its address."""
    found = measured(config.degrade_dir)
    bench = Bench(networks(config.model_name_or_path), trust_remote_code=config.trust_remote_code)
    bench.anatomy(
        bench.names[0]
    )  # a name that cannot be opened is told now; the table is asked for first
    with own_uploads() as uploads:
        from hf_resnet.app import lab_style, style
        from hf_resnet.app.lab import Lab

        blocks = Lab(bench, uploads, found, config.lang).blocks
        css = style.CSS + lab_style.CSS
        yield from launched(blocks, config.host, config.port, css=css, mcp=False)
