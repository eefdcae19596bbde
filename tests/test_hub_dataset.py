"""Pictures pushed to a Hub on this machine as a data set, and learned from there."""

import io
import json
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from pyarrow import parquet

from hf_resnet.hub import shards
from hf_resnet.images import decode
from tests.test_hub_push import QUICKLY, READER, WRITER, assert_nowhere, session  # noqa: F401  a fixture
from tests.test_training_head import colourful

COMMIT = "POST /api/datasets/.*/commit/"


@pytest.fixture
def command(session):  # noqa: F811
    """hf-resnet in such a process; code is what it begins with."""

    def run(*words, code=QUICKLY, **how):
        return session(f"{code}raise SystemExit(main(sys.argv[1:]))", *words, **how)

    return run


@pytest.fixture
def photos(tmp_path) -> Path:
    colourful(tmp_path / "photos" / "train", {"blue": 12, "green": 9, "red": 10})
    colourful(tmp_path / "photos" / "test", {"blue": 3, "green": 4, "red": 5})
    return tmp_path / "photos"


def said(done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def error_of(done) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def files(hub) -> dict[str, bytes]:
    return hub.files("me/flowers", kind="datasets")


def pushes(hub) -> int:
    return len(hub.commits("me/flowers", kind="datasets")) - 1


def test_a_pushed_folder_is_one_commit_that_load_dataset_and_finetune_open(hub, command, photos):
    out = said(command("push-data", str(photos), "--hub_dataset_id", "me/flowers"))
    assert "3 classes; train 31, test 12" in out
    assert f"{hub.endpoint}/datasets/me/flowers" in out
    assert pushes(hub) == 1
    loading = (
        "from datasets import load_dataset; import json\n"
        "data = load_dataset('me/flowers')\n"
        "print(json.dumps([{k: len(v) for k, v in data.items()},"
        " data['train'].features['label'].names, data['test'][0]['image'].size]))\n"
        "main = lambda _: 0\n"
    )
    sizes, names, size = json.loads(said(command(code=f"import sys\n{loading}")).splitlines()[-1])
    assert (sizes, names, size) == ({"train": 31, "test": 12}, ["blue", "green", "red"], [32, 24])
    words = ["--model_name_or_path", "scratch:resnet20-cifar", "--dataset_name", "me/flowers"]
    words += ["--method", "head", "--output_dir", str(photos.parent / "model")]
    out = said(command("finetune", *words, "--dataloader_num_workers", "0"))
    assert "3 classes; train 26, validation 5, test 12" in out


def test_the_same_command_again_sends_nothing(hub, command, photos):
    said(command("push-data", str(photos), "--hub_dataset_id", "me/flowers"))
    out = said(command("push-data", str(photos), "--hub_dataset_id", "me/flowers"))
    assert "is there already" in out
    assert pushes(hub) == 1


def test_pictures_that_are_gone_are_gone_there_too_and_a_card_that_was_edited_stays(
    hub, command, photos
):
    said(command("push-data", str(photos), "--hub_dataset_id", "me/flowers"))
    card = files(hub)["README.md"].decode() + "\nMine.\n"
    code = "from huggingface_hub import upload_file as u; u(path_or_fileobj=sys.argv[1].encode(), "
    code += "path_in_repo='README.md', repo_id='me/flowers', repo_type='dataset'); main = len;"
    command(card, code=f"import sys; {code}")
    said(command("push-data", str(photos / "train"), "--hub_dataset_id", "me/flowers"))
    there = files(hub)
    shards_there = [name for name in there if name.startswith("data/")]
    assert shards_there == ["data/train-00000-of-00001.parquet"]
    card = there["README.md"].decode()
    assert card.endswith("Mine.\n") and "test-*" not in card


@pytest.mark.parametrize("fault", ["503", "lost", "cut"])
def test_faults_on_the_way_end_in_one_commit(hub, command, photos, fault):
    match fault:
        case "503":
            hub.fail(COMMIT, "status", 503, times=2)
        case "lost":
            hub.fail(COMMIT, "lost")
        case "cut":
            hub.fail("PUT /lfs/", "cut", 100, times=2)
    said(command("push-data", str(photos), "--hub_dataset_id", "me/flowers"))
    assert pushes(hub) == 1


def test_what_cameras_wrote_stays_at_home_unless_it_is_wanted(hub, command, photos):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "granny"
    picture = Image.new("RGB", (40, 30), (200, 10, 10))
    picture.save(photos / "train" / "red" / "photo.jpg", exif=exif)
    where = ["--hub_dataset_id", "me/flowers"]
    said(command("push-data", str(photos), *where))
    assert b"granny" not in b"".join(files(hub).values())
    assert str(photos.parent).encode() not in b"".join(files(hub).values())
    said(command("push-data", str(photos), *where, "--keep_metadata"))
    assert b"granny" in b"".join(files(hub).values())


def test_broken_pictures_are_left_out_and_named_or_stop_it(hub, command, photos):
    (photos / "train" / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    where = ["--hub_dataset_id", "me/flowers"]
    line = error_of(command("push-data", str(photos), *where, "--on_bad_image", "fail"))
    assert "broken.jpg" in line and "--on_bad_image skip" in line
    assert ("datasets", "me/flowers") not in hub.repos
    out = said(command("push-data", str(photos), *where))
    assert "broken.jpg" in out and "train 31, test 12" in out


def test_names_of_classes_are_only_text_on_the_card(hub, command, tmp_path):
    colourful(tmp_path / "odd", {"blue": 3, "red": 3})
    (tmp_path / "odd" / "blue").rename(tmp_path / "odd" / "<script>a|b")
    (tmp_path / "odd" / "red").rename(tmp_path / "odd" / "[x](javascript:1)")
    said(command("push-data", str(tmp_path / "odd"), "--hub_dataset_id", "me/flowers"))
    card = files(hub)["README.md"].decode()
    assert "\\<script\\>a\\|b |" in card and "\\[x\\](javascript:1) |" in card


def test_refusals_are_one_clear_line(hub, command, photos):
    where = ["push-data", str(photos), "--hub_dataset_id"]
    assert "may only read" in error_of(command(*where, "me/flowers", token=READER))
    assert "not logged in" in error_of(command(*where, "me/flowers", token=None))
    line = error_of(command(*where, "other/flowers"))
    assert "does not let you write to other/flowers" in line
    hub.fail("POST /api/repos/create", "status", 402, times=9)
    assert "paid plan" in error_of(command(*where, "me/flowers"))


def test_a_full_disk_is_one_clear_line_and_nothing_is_sent(hub, command, photos):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
    done = command(
        *("push-data", str(photos), "--hub_dataset_id", "me/flowers"), code=QUICKLY + limited
    )
    assert "make room, or set TMPDIR" in error_of(done)
    assert ("datasets", "me/flowers") not in hub.repos


def test_large_sets_are_several_files_and_the_same_ones_each_time(monkeypatch, photos, tmp_path):
    from hf_resnet.config import DataConfig
    from hf_resnet.data import load_data

    monkeypatch.setattr(shards, "SHARD_BYTES", 2000)
    monkeypatch.setattr(shards, "_ROWS_AT_ONCE", 4)
    data = load_data(DataConfig(train_dir=str(photos)), make_validation=False)
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written.append(shards.write_shards(data, tmp_path / name, shards.Wish()))
    train, _ = written[0]
    assert len(train.files) > 2
    assert train.files[0].name == f"train-00000-of-{len(train.files):05}.parquet"
    tables = [parquet.read_table(path) for path in train.files]
    assert sum(len(each) for each in tables) == 31 == sum(train.count_K)
    picture = decode(tables[-1]["image"][-1].as_py()["bytes"])
    assert picture.size == (32, 24)
    for one, two in zip(*(split[0].files for split in written), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_a_picture_read_back_has_the_same_pixels(photos, tmp_path):
    from hf_resnet.config import DataConfig
    from hf_resnet.data import load_data

    data = load_data(DataConfig(train_dir=str(photos)), make_validation=False)
    written = shards.write_shards(data, tmp_path, shards.Wish())
    rows = [
        row
        for split in written
        for path in split.files
        for row in parquet.read_table(path).to_pylist()
    ]
    there = sorted(decode(row["image"]["bytes"]).tobytes() for row in rows)
    here = [path.read_bytes() for path in photos.rglob("*.png")]
    assert there == sorted(Image.open(io.BytesIO(each)).convert("RGB").tobytes() for each in here)


def test_a_data_set_of_other_making_is_replaced_only_where_that_is_asked_for(hub, command, photos):
    code = "from huggingface_hub import HfApi; api = HfApi(); api.create_repo('me/flowers', "
    code += "repo_type='dataset'); [api.upload_file(path_or_fileobj=b'mine', path_in_repo=name, "
    code += (
        "repo_id='me/flowers', repo_type='dataset') for name in ('data/a.parquet', 'README.md')]; "
    )
    command(code=f"import sys; {code}main = len;")
    where = ["push-data", str(photos), "--hub_dataset_id", "me/flowers"]
    line = error_of(command(*where))
    assert "holds 1 parquet file that push-data did not put there" in line and "--force" in line
    assert files(hub)["data/a.parquet"] == b"mine"
    said(command(*where, "--force"))
    assert "data/a.parquet" not in files(hub)
    said(command(*where))


def test_the_token_is_in_no_file_log_or_commit(hub, command, photos, tmp_path):
    where = ["push-data", str(photos), "--hub_dataset_id", "me/flowers"]
    done = command(*where)
    said(done)
    hub.fail(COMMIT, "status", 403, times=99)
    (photos / "train" / "blue").rename(photos / "train" / "yellow")
    (photos / "test" / "blue").rename(photos / "test" / "yellow")
    failed = command(*where)
    assert "does not let you write" in error_of(failed)
    assert_nowhere(WRITER, hub, tmp_path, done, failed)
