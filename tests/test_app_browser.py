"""The page in a browser, as a person uses it: on a desk, on a phone, in Burmese, by keyboard."""

import base64
import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hf_resnet.app.words import say
from hf_resnet.classifier import open_classifier
from hf_resnet.cli import main
from tests.conftest import NAMES, photo, png
from tests.page_process import Running, page_of
from tests.test_app_programs import full_page

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
]
PHONE = {"width": 390, "height": 844}
HAS_BURMESE_LETTERS = """async () => {
    const drawn = letter => {
        const canvas = document.createElement("canvas");
        const pen = canvas.getContext("2d");
        pen.font = "40px " + getComputedStyle(document.querySelector(".intro h1")).fontFamily;
        pen.fillText(letter, 10, 60);
        return canvas.toDataURL();
    };
    await document.fonts.ready;
    return new Set(["က", "မ", "ပ", "\\u{10fffd}"].map(drawn)).size;
}"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kept") / "wrong"


@pytest.fixture(scope="module")
def page_up(family_folders, kept) -> Iterator[Running]:
    with page_of(family_folders("timm-resnet"), "--keep_wrong", str(kept)) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, page_up):
    """Opens the page in a fresh browser window; options are playwright's."""
    windows = []

    def open_page(**options):
        windows.append(browser.new_context(**options))
        page = windows[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(page_up.address)
        page.wait_for_selector("#picture input[type=file]", state="attached")
        return page

    yield open_page
    for each in windows:
        each.close()


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        path.write_bytes(png(photo(seed)))
    return paths


def give(page, path: Path) -> None:
    page.set_input_files("#picture input[type=file]", path)


def settles(page, script: str, wanted, arg=None) -> None:
    """What the script finds is this, or becomes it while the page still draws itself."""
    for _ in range(200):
        if page.evaluate(script, arg) == wanted:
            return
        page.wait_for_timeout(100)
    assert page.evaluate(script, arg) == wanted, (script, arg)


def test_a_picture_gets_an_answer_with_bars(opened, pictures):
    page = opened(locale="en-US")
    give(page, pictures[0])
    page.wait_for_selector(".bars li")
    assert page.locator(".bars li").count() == 5
    assert page.locator(".result h2").inner_text() in NAMES
    assert page.locator(".result h2").inner_text() == page.locator(".bars .name").first.inner_text()


def test_where_it_looked_is_shown_when_asked_for_and_told_to_those_who_cannot_see(opened, pictures):
    page = opened(locale="en-US")
    assert not page.locator("#where").is_visible()
    give(page, pictures[0])
    page.click("#where")
    page.wait_for_selector(".looked img")
    for image in page.locator(".looked img").all():
        assert image.evaluate("image => image.naturalWidth") > 100
        assert len(image.get_attribute("alt")) > 20


PUT_ON_CLIPBOARD = """async text => {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const item = new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})});
    await navigator.clipboard.write([item]);
}"""


def test_a_picture_is_pasted_by_keyboard_and_another_over_it(opened, pictures):
    page = opened(locale="en-US", permissions=["clipboard-read", "clipboard-write"])
    before = ""
    for path in pictures[:2]:
        page.evaluate(PUT_ON_CLIPBOARD, base64.b64encode(path.read_bytes()).decode())
        page.keyboard.press("Control+v")
        page.wait_for_function(
            "old => ![old, ''].includes(SHOWN)".replace("SHOWN", SHOWN), arg=before
        )
        before = page.evaluate(SHOWN)
    page.wait_for_selector(".bars li")
    assert page.locator("#picture .image-frame img").get_attribute("alt") == say("en", "picture")


SHOWN = "(document.querySelector('#picture .image-frame img')?.src ?? '')"


def test_what_is_no_picture_is_answered_in_the_page(opened, tmp_path):
    page = opened(locale="en-US")
    (tmp_path / "a.png").write_text("<svg/>")
    give(page, tmp_path / "a.png")
    page.wait_for_selector(".result:has-text('SVG is a drawing')")
    assert not page.locator("#where").is_visible()


def test_many_pictures_become_a_table_and_a_csv(opened, pictures, tmp_path):
    page = opened(locale="en-US")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    page.get_by_role("tab").nth(1).click()
    page.set_input_files("#files input[type=file]", [*pictures, tmp_path / "bad.png"])
    page.wait_for_selector("#files :text('bad')")
    page.click("#look-all")
    page.wait_for_selector(".answers td")
    assert page.locator(".answers tbody tr").count() == 4
    assert "not used" in page.locator(".answers tbody tr").last.inner_text()
    with page.expect_download() as download:
        page.click("#csv")
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == ["0.png", "1.png", "2.png", "bad.png"]
    assert table[0]["label_1"] in NAMES
    assert not table[0]["error"] and "not a picture" in table[3]["error"]
    page.get_by_label("မြန်မာ").check()
    page.wait_for_selector(f".answers th:text-is('{say('my', 'column_file')}')")
    page.locator("#files button:has(svg)").last.click()
    page.wait_for_selector(".answers", state="detached")
    assert not page.locator("#csv").is_visible(), "what is no longer there has no answers"


def test_wrong_answers_are_kept_and_learned_from(
    opened, kept, tmp_path, family_folders, monkeypatch
):
    page = opened(locale="en-US")
    names = ("zebra", "tiger cat")
    for number in range(6):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(photo(number + 10)))
        give(page, path)
        page.wait_for_selector("#wrong")
        if number == 0:
            page.click("#wrong button")
        page.click("#right-label input")
        page.get_by_role("option", name=names[number % 2], exact=True).click()
        page.click("#keep")
        page.wait_for_selector(f"#kept :text('{number + 1} kept so far')")
        page.click(
            "#picture button[aria-label='Clear'], #picture button[aria-label='Remove Image']"
        )
        page.wait_for_selector(".result.empty")
    assert {path.parent.name for path in kept.glob("*/*.png")} == set(names)
    monkeypatch.setenv("HF_RESNET_CACHE", str(tmp_path / "cache"))
    flags = ["--model_name_or_path", str(family_folders("timm-resnet")), "--method", "head"]
    out = tmp_path / "model"
    assert main(["finetune", *flags, "--train_dir", str(kept), "--output_dir", str(out)]) == 0
    assert (out / "model.safetensors").exists()


@pytest.fixture(scope="module")
def unsure_model(tmp_path_factory, family_folders) -> Path:
    """A model folder with examples and a threshold that it never reaches."""
    classifier = open_classifier(str(family_folders("timm-resnet")))
    facts = classifier.facts.with_(results={"abstain_below": 0.999})
    folder = replace(classifier, facts=facts).save(tmp_path_factory.mktemp("unsure") / "model")
    place = folder / "examples"
    place.mkdir()
    for number in range(2):
        photo(number, size=(320, 240)).save(place / f"{number}.jpg")
    listing = [{"file": "0.jpg", "label": "zebra"}, {"file": "1.jpg", "label": "tiger cat"}]
    (place / "examples.json").write_text(json.dumps({"examples": listing}))
    return folder


def test_an_example_is_tried_with_one_click_and_what_is_none_of_the_classes_is_said_so(
    browser, unsure_model
):
    with page_of(unsure_model) as running:
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(running.address)
        for name in ("zebra", "tiger cat"):
            page.wait_for_selector(f"#examples button img[alt='{name}']")
        page.set_viewport_size(PHONE)
        heights = [
            page.locator(each).bounding_box()["y"] for each in ("#picture", "#result", "#examples")
        ]
        assert heights == sorted(heights), "on a phone the answer comes right below the picture"
        for number in (0, 1, 0):
            page.locator("#examples button").nth(number).click()
            page.wait_for_selector(".bars li")
            title = say("en", "unsure_title")
            assert page.locator(".result h2").inner_text() == title
        page.wait_for_selector("#picture img")
        page.get_by_label("မြန်မာ").check()
        page.wait_for_selector(f"#examples :text('{say('my', 'examples')}')")
        page.wait_for_selector("#examples button img[alt='zebra']")
        page.wait_for_selector(f".result h2:text-is('{say('my', 'unsure_title')}')")
        context.close()


def test_when_too_many_ask_a_person_reads_so(browser, family_folders, pictures):
    with full_page(family_folders("timm-resnet")) as (running, _, _, _):
        context = browser.new_context(locale="my-MM")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(running.address)
        page.wait_for_selector(f"h1:text-is('{say('my', 'title')}')")
        give(page, pictures[0])
        page.wait_for_selector(f":text('{say('my', 'busy')}')")
        context.close()


def test_the_browser_decides_the_language_and_the_switch_changes_it(opened, pictures):
    page = opened(locale="my-MM")
    page.wait_for_selector(f"h1:text-is('{say('my', 'title')}')")
    settles(page, "document.documentElement.lang", "my")
    give(page, pictures[0])
    page.wait_for_selector(".bars li")
    assert say("my", "where") in page.locator("#where").inner_text()
    page.get_by_label("English").check()
    page.wait_for_selector(f"h1:text-is('{say('en', 'title')}')")
    page.wait_for_selector(".result:has-text('The model holds')")
    settles(page, "document.documentElement.lang", "en")
    assert page.locator(".bars li").count() == 5, "the picture stays"


NOT_BURMESE = """() => {
    const latin = [];
    const note = text => { if (/[A-Za-z]/.test(text ?? "")) latin.push(text.trim()); };
    for (const part of document.querySelectorAll("#picture, #files, .toast-body")) {
        const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (nodes.nextNode()) note(nodes.currentNode.data);
        for (const each of part.querySelectorAll("*"))
            ["aria-label", "title", "alt"].forEach(name => note(each.getAttribute(name)));
    }
    return latin;
}"""


def test_gradios_own_words_are_burmese_too_and_english_again_after_the_switch(opened, tmp_path):
    page = opened(locale="my-MM")
    page.wait_for_selector(f"h1:text-is('{say('my', 'title')}')")
    page.get_by_label(say("my", "take_photo")).click()
    page.wait_for_selector(f"#picture :text('{say('my', 'open_camera')}')")
    settles(page, NOT_BURMESE, [])
    page.get_by_role("tab").nth(1).click()
    page.wait_for_selector(f"#files :text('{say('my', 'drop_files')}')")
    page.click("#look-all")
    page.wait_for_selector(f".toast-body:has-text('{say('my', 'error')}')")
    settles(page, NOT_BURMESE, [])
    (tmp_path / "notes.txt").write_text("no picture")
    page.set_input_files("#files input[type=file]", tmp_path / "notes.txt")
    page.wait_for_selector(f".toast-body:has-text('{say('my', 'reason_kind')}')")
    page.get_by_label("English").check()
    page.wait_for_selector(f"#files :text('{say('en', 'drop_files')}')")


def test_the_document_says_the_language_of_the_page_and_not_that_of_the_browser(opened):
    page = opened(locale="de-DE")
    page.wait_for_function("document.documentElement.lang === 'en'")
    assert re.search("[a-z]", page.locator("h1").inner_text())


def test_burmese_letters_are_drawn_and_not_boxes(opened):
    page = opened(locale="my-MM")
    page.wait_for_selector(f"h1:text-is('{say('my', 'title')}')")
    if not shutil.which("fc-list") or not _has_burmese_font():
        pytest.skip("no Burmese font here: apt-get install fonts-sil-padauk")
    assert page.evaluate(HAS_BURMESE_LETTERS) == 4


def _has_burmese_font() -> bool:
    import subprocess

    return bool(subprocess.run(["fc-list", ":lang=my"], capture_output=True, check=True).stdout)


@pytest.mark.parametrize("width", [PHONE["width"], 360])
@pytest.mark.parametrize("locale", ["en-US", "my-MM"])
def test_nothing_is_wider_than_a_phone(opened, locale, width, pictures):
    screen = {**PHONE, "width": width}
    page = opened(locale=locale, viewport=screen, is_mobile=True, has_touch=True)
    assert all(tab.is_visible() for tab in page.get_by_role("tab").all())
    assert page.get_by_role("tab").count() == 3, "none is folded into a menu"
    give(page, pictures[0])
    page.click("#where")
    page.wait_for_selector(".looked img")
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(200)
        settles(page, "width => document.documentElement.scrollWidth <= width", True, width)


def test_every_tab_and_button_is_reached_by_keyboard(opened, pictures):
    page = opened(locale="en-US")
    give(page, pictures[0])
    page.wait_for_selector("#where")
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert "Where did it look?" in reached
    assert any("One picture" in text for text in reached)
    page.locator("#where").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".looked img")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_read_stands_out_from_what_is_behind_it(opened, scheme, pictures):
    page = opened(locale="en-US", color_scheme=scheme)
    give(page, pictures[0])
    page.wait_for_selector(".bars li")
    for place in (".intro p", ".result p", ".result h2"):
        settles(page, f"place => ({CONTRAST})(place) >= 4.5", True, place)


CONTRAST = """place => {
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(level => {
            const share = level / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const element = document.querySelector(place);
    let behind = element;
    while (getComputedStyle(behind).backgroundColor.endsWith(", 0)")) behind = behind.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


def test_nothing_is_fetched_from_elsewhere(opened, page_up, browser):
    asked = []
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_up.address)
    page.wait_for_selector("#picture input[type=file]", state="attached")
    page.wait_for_timeout(1000)
    context.close()
    elsewhere = [url for url in asked if not url.startswith((page_up.address, "data:", "blob:"))]
    assert not elsewhere
