import io
import re
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from torch import nn

from hf_resnet.anatomy import Anatomy, anatomy_of, grouped, picture, saving, table
from hf_resnet.anatomy.figures import amount
from hf_resnet.anatomy.kernel import Window
from hf_resnet.anatomy.pieces import stages
from hf_resnet.anatomy.record import as_json
from hf_resnet.backbones import Network, open_backbone
from hf_resnet.backbones.network import find_head
from hf_resnet.config import ModelConfig
from hf_resnet.errors import ModelError


def network(model: nn.Module, classes: int = 1000) -> Network:
    return Network(model.eval(), source="timm", head_name=find_head(model, classes))


def timm_network(name: str) -> Network:
    import timm

    return network(timm.create_model(name))


def hugging_resnet50() -> Network:
    import transformers

    config = transformers.ResNetConfig(num_labels=1000)
    return network(transformers.ResNetForImageClassification(config))


@pytest.fixture(scope="module")
def resnet50() -> Anatomy:
    return anatomy_of(timm_network("resnet50"), (224, 224))


@pytest.fixture(scope="module")
def hugging50() -> Anatomy:
    return anatomy_of(hugging_resnet50(), (224, 224))


def shown(anatomy: Anatomy, width: int, depth: int | None = None, **options) -> str:
    out = io.StringIO()
    made = table(anatomy, grouped(anatomy, depth), title="net", width=width, **options)
    Console(file=out, width=width, highlight=False).print(made)
    return out.getvalue()


@pytest.mark.parametrize("name", ["resnet50", "hugging50"])
def test_resnet50_has_the_published_parameters_and_multiply_adds(name, request):
    anatomy = request.getfixturevalue(name)
    assert anatomy.parameters == 25_557_032
    assert amount(anatomy.multiply_adds) == "4.09 G"


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        ("vgg11", 132_863_336, "7.61 G"),
        ("mobilenetv2_100", 3_504_872, "301 M"),
        ("vit_tiny_patch16_224", 5_717_416, "1.25 G"),
        ("swin_tiny_patch4_window7_224", 28_288_354, "4.49 G"),
    ],
)
def test_other_networks_have_their_published_totals(name, parameters, multiply_adds):
    anatomy = anatomy_of(timm_network(name), (224, 224))
    assert (anatomy.parameters, amount(anatomy.multiply_adds)) == (parameters, multiply_adds)


def test_both_libraries_resnet50_cost_the_same_layer_by_layer(resnet50, hugging50):
    costs = [
        [(each.output, each.multiply_adds) for each in anatomy.layers if each.multiply_adds]
        for anatomy in (resnet50, hugging50)
    ]
    assert costs[0] == costs[1]


def test_output_sizes_are_worked_out_as_on_paper(resnet50):
    by_name = {layer.name: layer for layer in resnet50.layers}
    assert by_name["conv1"].sums == ("(224 − 7 + 2·3)/2 + 1 = 112.5 → 112",)
    assert by_name["maxpool"].sums == ("(112 − 3 + 2·1)/2 + 1 = 56.5 → 56",)
    assert by_name["layer1.0.conv1"].sums == ("(56 − 1 + 2·0)/1 + 1 = 56",)
    assert by_name["layer2.0.conv2"].sums == ("(56 − 3 + 2·1)/2 + 1 = 28.5 → 28",)
    assert by_name["fc"].sums == ()


sides = st.integers(1, 9)


@given(st.integers(1, 40), sides, st.integers(1, 4), st.integers(0, 4), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_sum_gives_what_the_convolution_gives(size, kernel, stride, padding, dilation):
    layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        return
    result = layer(torch.zeros(1, 1, size, size)).shape[2]
    window = Window((kernel,) * 2, (stride,) * 2, (padding,) * 2, (dilation,) * 2)
    told = window.size_sum(0, size, result)
    left, _, right = told.partition(" = ")
    exact = eval(left.replace("−", "-").replace("·", "*"))  # noqa: S307  our own sum
    assert int(exact) == result
    assert right.split()[-1] == str(result)


def test_same_padding_rounding_up_and_dilation_are_worked_out_too():
    same = Window((3, 3), (2, 2), None)
    assert same.size_sum(0, 224, 112) == "(224 − 3 + 0 + 1)/2 + 1 = 112"
    up = Window((3, 3), (2, 2), (0, 0), rounds_up=True)
    assert up.size_sum(0, 112, 56) == "(112 − 3 + 2·0)/2 + 1 = 55.5 → 56"
    wide = Window((3, 3), (1, 1), (2, 2), (2, 2))
    assert wide.size_sum(0, 14, 14) == "(14 − (2·2 + 1) + 2·2)/1 + 1 = 14"
    assert Window((3, 3), (1, 1), (0, 0)).size_sum(0, 14, 99) is None


def test_a_small_network_is_counted_as_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    anatomy = anatomy_of(network(model, 5), (8, 8))
    assert [each.parameters for each in anatomy.layers] == [
        3 * 3 * 3 * 4 + 4,
        0,
        0,
        0,
        0,
        64 * 5 + 5,
    ]
    assert [each.multiply_adds for each in anatomy.layers] == [8 * 8 * 4 * 27, 0, 0, 0, 0, 64 * 5]
    maps, pooled = 4 * 8 * 8 * 4, 4 * 4 * 4 * 4
    assert [each.memory for each in anatomy.layers] == [maps, maps, 0, pooled, 0, 5 * 4]
    assert anatomy.memory == 2 * maps + pooled + 20


def test_every_familys_rows_add_up_to_its_totals_at_every_depth(family_folder):
    opened, _ = open_backbone(ModelConfig(model_name_or_path=str(family_folder)))
    anatomy = anatomy_of(opened.network, opened.preprocess.size)
    assert anatomy.parameters == sum(each.numel() for each in opened.network.parameters())
    assert anatomy.trainable == anatomy.parameters
    for depth in (None, 1, 2, 3):
        rows = grouped(anatomy, depth)
        for what in ("parameters", "trainable", "multiply_adds", "memory"):
            assert sum(getattr(row, what) for row in rows) == getattr(anatomy, what)
        assert depth is None or all(row.name.count(".") < depth for row in rows)


SHORTCUTS = {
    "transformers-resnet": 4,
    "transformers-convnext": 4,
    "transformers-vit": 2 * 2,
    "transformers-mobilenet": 10,
    "timm-resnet": 4,
    "timm-vgg": 0,
    "timm-mobilenet": 7,
    "timm-vit": 2,
    "timm-convolution-head": 8,
}


@pytest.mark.parametrize("family", SHORTCUTS)
def test_every_sum_with_a_shortcut_is_found(family, family_folders):
    opened, _ = open_backbone(ModelConfig(model_name_or_path=str(family_folders(family))))
    anatomy = anatomy_of(opened.network, opened.preprocess.size)
    assert sum(len(block.joins) for block in anatomy.blocks) == SHORTCUTS[family]
    arcs = [
        piece.times * sum(part.shortcut is not None for part in piece.parts)
        for stage in stages(anatomy)
        for piece in stage.pieces
    ]
    assert sum(arcs) == SHORTCUTS[family]


@pytest.mark.parametrize(
    ("name", "shortcuts", "projections"),
    [("resnet50", 16, 4), ("resnet50-v2", 16, 4), ("resnet18", 8, 3), ("plain34", 0, 0)],
)
def test_our_own_networks_are_taken_apart_as_well(name, shortcuts, projections):
    opened, _ = open_backbone(ModelConfig(model_name_or_path=f"scratch:{name}"))
    blocks = anatomy_of(opened.network, (64, 64)).blocks
    assert sum(len(block.joins) for block in blocks) == shortcuts
    assert sum(len(block.projections) for block in blocks) == projections


@pytest.mark.parametrize("name", ["resnet50", "resnet50d", "resnetv2_50"])
def test_the_projections_on_the_shortcuts_are_told_from_the_way_through(name):
    anatomy = anatomy_of(timm_network(name), (64, 64))
    projected = [block for block in anatomy.blocks if block.projections]
    assert len(anatomy.blocks) == 16
    assert len(projected) == 4
    assert all(block.projections == (f"{block.name}.downsample",) for block in projected)
    assert [block.bottleneck for block in anatomy.blocks[2:4]] == [(256, 64, 256), (256, 128, 512)]


def test_channels_are_marked_where_they_are_squeezed_and_unsqueezed(resnet50):
    marks = {layer.name: layer.mark for layer in resnet50.layers}
    assert (marks["layer1.1.conv1"], marks["layer1.1.conv3"]) == ("squeeze", "unsqueeze")
    assert marks["layer1.0.conv1"] is None  # 64 to 64
    assert marks["layer1.0.downsample.0"] is None
    assert marks["layer1.1.conv2"] is None


def test_what_a_bottleneck_saves_is_worked_out(resnet50):
    saved = saving(resnet50)
    assert saved.block.name == "layer1.1"
    assert saved.ours.parameters == 256 * 64 + 9 * 64 * 64 + 64 * 256 == 69_632
    assert saved.plain.parameters == 2 * 9 * 256 * 256
    assert saved.ours.multiply_adds == 69_632 * 56 * 56
    assert saved.plain.multiply_adds == 2 * 9 * 256 * 256 * 56 * 56
    assert saved.count == 16
    assert "1·1·256·64 + 3·3·64·64 + 1·1·64·256" in shown(resnet50, 80)


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "mobilenetv2_100"])
def test_without_bottlenecks_nothing_is_said_of_them(name):
    anatomy = anatomy_of(timm_network(name), (64, 64))
    assert saving(anatomy) is None
    assert "bottleneck" not in shown(anatomy, 100)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["resnet50", "hugging50"])
def test_the_table_fits_the_screen_and_its_columns_line_up(name, width, request):
    anatomy = request.getfixturevalue(name)
    lines = shown(anatomy, width).splitlines()
    assert max(map(len, lines)) <= width
    rows = lines[2 : lines.index("", 3)]
    numbers = [line for line in rows if re.search(r" (\d+\.\d+|<\.01)$", line)]
    assert len({len(line) for line in numbers}) == 1
    assert len(numbers) > 100


def test_sums_stand_in_the_rows_where_there_is_room_and_else_below(resnet50):
    assert "(224−7+2·3)/2+1=112.5→112" in shown(resnet50, 100)
    narrow = shown(resnet50, 80)
    assert "7/2/3: (224 − 7 + 2·3)/2 + 1 = 112.5 → 112" in narrow
    assert "(224−7" not in narrow


def test_shapes_can_be_read_with_the_channels_last(resnet50):
    first, last = shown(resnet50, 100), shown(resnet50, 100, channels_last=True)
    assert "64×112×112" in first
    assert "strides" not in first
    assert "112×112×64" in last
    weight = torch.empty(1, 64, 112, 112).to(memory_format=torch.channels_last)
    assert str(weight.stride()) in " ".join(last.split())


def test_a_network_that_works_with_channels_last_is_read_right():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 6, 2, 2)
            self.norm = nn.LayerNorm(6)
            self.activation = nn.GELU()
            self.head = nn.Linear(6, 5)

        def forward(self, pixels_BCHW):
            maps_BHWC = self.convolution(pixels_BCHW).permute(0, 2, 3, 1)
            return self.head(self.activation(self.norm(maps_BHWC)).mean((1, 2)))

    layers = anatomy_of(network(Mixed(), 5), (8, 8)).layers
    assert [layer.layout for layer in layers] == ["NCHW", "NHWC", "NHWC", None]
    assert [layer.nchw for layer in layers[:3]] == [(1, 6, 4, 4)] * 3
    assert [layer.nhwc for layer in layers[:3]] == [(1, 4, 4, 6)] * 3


def test_frozen_layers_are_told_from_those_that_train():
    model = timm_network("resnet18")
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    anatomy = anatomy_of(model, (64, 64))
    assert anatomy.trainable == 513_000
    text = shown(anatomy, 100, depth=1)
    assert re.search(r"^layer1 .* frozen ", text, re.M)
    assert re.search(r"^fc .* yes ", text, re.M)
    assert "513,000 of them trainable, 11,176,512 frozen" in text


def test_a_groups_row_has_its_modules_class_and_output(resnet50):
    rows = {row.name: row for row in grouped(resnet50, 1)}
    assert list(rows)[:6] == ["conv1", "bn1", "act1", "maxpool", "layer1", "layer2"]
    assert (rows["layer1"].kind, rows["layer1"].output) == ("Sequential", (1, 256, 56, 56))
    assert rows["layer1"].parameters == 215_808


def test_attention_is_counted_with_its_products():
    anatomy = anatomy_of(timm_network("vit_tiny_patch16_224"), (224, 224))
    attention = [layer for layer in anatomy.layers if layer.kind == "Attention"]
    assert len(attention) == 12
    assert attention[0].multiply_adds == 2 * 197 * 197 * 192
    names = [layer.name for layer in anatomy.layers]
    assert names.index("blocks.0.attn.qkv") < names.index("blocks.0.attn")
    assert names.index("blocks.0.attn") < names.index("blocks.0.attn.proj")


class Odd(nn.Module):
    """Parts that take and give what layers seldom do."""

    class Gives(nn.Module):
        def __init__(self, what) -> None:
            super().__init__()
            self.what = what

        def forward(self, *args, **kwargs):
            return self.what(*args, **kwargs)

    def __init__(self) -> None:
        super().__init__()
        self.nothing = self.Gives(lambda: None)
        self.several = self.Gives(lambda x, *, twice: {"a": (x, [2 * x]), "b": "text"})
        self.shared = nn.ReLU()
        self.scale = nn.Parameter(torch.ones(3))
        self.unused = nn.Linear(7, 7)
        self.tied = nn.Linear(7, 7)
        self.tied.weight = self.unused.weight
        self.scripted = torch.jit.trace(
            nn.Conv2d(3, 4, (3, 1), padding="same"), torch.ones(1, 3, 8, 8)
        )
        self.strange = nn.Conv2d(4, 4, 3, padding=(1, 0), padding_mode="reflect", stride=(1, 2))
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.attention = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 5)

    def forward(self, pixels):
        assert self.nothing() is None
        maps = self.several(pixels * self.scale[:, None, None], twice=True)["a"][1][0]
        maps = self.shared(self.scripted(self.shared(maps)))
        tokens = self.up(self.strange(maps)).flatten(2).transpose(1, 2)
        return self.head(self.attention(tokens).mean(1))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_unusual_modules_do_not_stop_it():
    model = Odd()
    anatomy = anatomy_of(network(model, 5), (8, 8))
    assert anatomy.parameters == sum(each.numel() for each in model.parameters())
    kinds = [layer.kind for layer in anatomy.layers]
    assert kinds.count("ReLU") == 2
    assert "TransformerEncoderLayer" not in [
        layer.kind for layer in anatomy.layers if not layer.output
    ]
    unused = next(layer for layer in anatomy.layers if layer.name == "unused")
    assert (unused.output, unused.parameters) == (None, 56)
    assert next(each for each in anatomy.layers if each.name == "tied").parameters == 7
    for depth in (None, 1):
        assert "not run" in shown(anatomy, 80, depth)
    assert picture(anatomy, "odd")
    assert as_json(anatomy, anatomy.layers, model="odd", depth=None)["layers"]


def test_the_network_runs_once_on_one_picture_and_is_left_as_it_was():
    model = timm_network("resnet18").train()
    model.model.bn1.eval()
    seen = []
    hook = model.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    anatomy_of(model, (64, 48))
    hook.remove()
    assert seen == [(1, 3, 64, 48)]
    assert model.training
    assert [name for name, each in model.model.named_modules() if not each.training] == ["bn1"]
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())


def test_a_size_that_cannot_be_is_one_clear_line():
    with pytest.raises(
        ModelError, match=r"cannot take a picture of 200×200 pixels: .*224"
    ) as caught:
        anatomy_of(timm_network("vit_tiny_patch16_224"), (200, 200))
    assert "\n" not in str(caught.value)


def test_the_drawing_has_a_line_for_each_size_and_an_arc_for_each_shortcut(resnet50):
    found = stages(resnet50)
    assert [stage.shape for stage in found] == [
        (64, 112, 112),
        (256, 56, 56),
        (512, 28, 28),
        (1024, 14, 14),
        (2048, 7, 7),
        (1000,),
    ]
    third = found[3].pieces
    assert [piece.times for piece in third] == [1, 5]
    assert third[0].parts[0].lines == ("1×1 conv 256", "3×3 conv 256 /2", "1×1 conv 1024")
    assert [piece.parts[0].shortcut for piece in third] == ["1×1 conv 1024 /2", ""]
    arcs = [p.times for s in found for p in s.pieces for b in p.parts if b.shortcut is not None]
    assert sum(arcs) == 16


def test_a_transformers_block_is_drawn_with_its_two_shortcuts():
    found = stages(anatomy_of(timm_network("vit_tiny_patch16_224"), (224, 224)))
    (block,) = found[1].pieces
    assert block.times == 12
    assert [part.lines for part in block.parts] == [
        ("linear 576", "attention", "linear 192"),
        ("linear 768", "linear 192"),
    ]
    assert [part.shortcut for part in block.parts] == ["", ""]


def test_the_drawing_is_a_png_or_an_svg(resnet50):
    with Image.open(io.BytesIO(picture(resnet50, "net"))) as image:
        assert image.format == "PNG"
        assert min(image.size) > 600
    root = ElementTree.fromstring(picture(resnet50, "net", ".svg"))  # noqa: S314  our own
    assert root.tag.endswith("svg")


def test_large_numbers_have_three_digits():
    told = [amount(each) for each in (0, 7, 999, 999_600, 12_845_056, 115_605_504, 4_089_184_256)]
    assert told == ["", "7", "999", "1.00 M", "12.8 M", "116 M", "4.09 G"]


def test_adding_learned_positions_is_no_shortcut():
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.zeros(1, 3, 8, 8))

        def forward(self, maps_BCHW):
            return maps_BCHW + self.places

    model = nn.Sequential(Positions(), nn.Flatten(), nn.Linear(192, 5))
    assert anatomy_of(network(model, 5), (8, 8)).blocks == ()


def test_squeeze_and_excitation_leaves_the_bottleneck_what_it_is():
    anatomy = anatomy_of(timm_network("seresnet50"), (64, 64))
    assert anatomy.blocks[1].bottleneck == (256, 64, 256)
    marked = {layer.name.rsplit(".", 1)[1] for layer in anatomy.layers if layer.mark}
    assert marked == {"conv1", "conv3"}
    assert saving(anatomy).ours.parameters == 69_632


def test_torchs_own_attention_is_counted_in_full():
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 5)

        def forward(self, pixels):
            tokens = pixels.flatten(2).transpose(1, 2).repeat(1, 1, 2)[:, :, :4]
            return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))

    anatomy = anatomy_of(network(Attends(), 5), (4, 4))
    projections, products = 4 * 16 * 4 * 4, 2 * 16 * 16 * 4
    assert anatomy.multiply_adds == projections + products + 4 * 5
