"""ONNX in fp32: for ONNX Runtime anywhere, and for transformers.js, whose names for input and output
it has. All weights are in the one file."""

from pathlib import Path

import torch

from hf_resnet.engine.runtimes import INPUT, OUTPUT
from hf_resnet.export.material import Material
from hf_resnet.export.program import program_of


def write(material: Material, path: Path) -> None:
    program = torch.onnx.export(
        program_of(material.network, material.size),
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert program is not None  # noqa: S101  it is None only where a file is named
    # places in Python sources, which take more room than many a network
    graph = program.model.graph
    for node in graph.all_nodes():
        node.metadata_props.clear()
    for weight in graph.initializers.values():
        weight.metadata_props.clear()
    program.save(path, external_data=False)
