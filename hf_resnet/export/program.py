"""The network as a program that other libraries can read: folded, fp32, with the batch left free.

The one step that every format begins with. The surprise: torch notes beside each operation where in
the Python sources it stands; those places on a person's machine are taken out, and so is the example
input, the only thing that torch would pickle.
"""

import copy

import torch
from torch.export import Dim, ExportedProgram

from hf_resnet.backbones import Network
from hf_resnet.backbones.folding import folded
from hf_resnet.errors import ModelError
from hf_resnet.preprocess import Size

_PLACES = ("stack_trace", "nn_module_stack", "source_fn_stack")
MOST_BYTES = 2**31 - 2**24
"""An ONNX file is one message, which ends at 2 GB."""


def program_of(network: Network, size: Size) -> ExportedProgram:
    """The whole computation, from pixels_BCHW of this size to logits_BK."""
    weights = sum(each.numel() * 4 for each in network.state_dict().values())
    if weights > MOST_BYTES:
        raise ModelError(
            f"the network has {weights / 2**30:.1f} GB of weights, and an export holds 2 at most; "
            "export a smaller one"
        )
    pixels_BCHW = torch.zeros(2, 3, *size)  # a batch of one would be taken for a constant
    plain = folded(copy.deepcopy(network).cpu().float().eval(), pixels_BCHW[:1])
    with torch.no_grad():
        program = torch.export.export(
            plain, (pixels_BCHW,), dynamic_shapes=({0: Dim("batch")},), strict=False
        )
    program.example_inputs = None
    for node in program.graph.nodes:
        for key in _PLACES:
            node.meta.pop(key, None)
    return program
