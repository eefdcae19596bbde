"""torch.export's file, for AOTInductor, ExecuTorch and their like.

It holds weights as plain bytes and the program as JSON; the example input, which torch would pickle,
is left out. We write it and read it back once to prove it, and never read one that lies in a model
folder: torch's reader also takes files that do hold pickles.
"""

from pathlib import Path

import torch

from hf_resnet.export.material import Material
from hf_resnet.export.program import program_of


def write(material: Material, path: Path) -> None:
    torch.export.save(program_of(material.network, material.size), path)
