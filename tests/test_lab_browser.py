"""The lab in a browser, as a person uses it: every tab, on a phone, in Burmese, by keyboard."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hf_resnet.app.lab_words import TABS, say
from tests.conftest import photo, png
from tests.page_process import Running, free_port, started
from tests.test_app_browser import BROWSER, CONTRAST, PHONE, browser, settles  # noqa: F401  a fixture

pytest.importorskip("gradio", reason="the page needs gradio: pip install 'hf-resnet[space]'")
pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def lab_up(family_folders, tmp_path_factory) -> Iterator[Running]:
    """In a folder of its own, as in a Space: gradio takes what lies in the working folder for public."""
    port = free_port()
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hf_resnet.cli import main; sys.exit(main())"
    )
    words = [sys.executable, "-c", code, "lab", str(family_folders("scratch")), "--port", str(port)]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with started(words, f"http://127.0.0.1:{port}", cwd=elsewhere) as running:
        yield running


@pytest.fixture
def opened(browser, lab_up):  # noqa: F811
    """Opens the lab in a fresh browser window, with its layer table; options are playwright's."""
    windows = []

    def open_lab(**options):
        windows.append(browser.new_context(**options))
        page = windows[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(lab_up.address)
        page.wait_for_selector("#layers-found table")
        return page

    yield open_lab
    for each in windows:
        each.close()


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png(photo(6)))
    return path


def give(page, path: Path) -> None:
    page.set_input_files("#picture input[type=file]", path)


def go_to(page, tab: str, language: str = "en") -> None:
    """To a tab; on a phone those that do not fit are in a menu."""
    name = say(language, f"tab_{tab}")
    found = page.get_by_role("tab", name=name, exact=True)
    if found.count() and found.first.is_visible():
        found.first.click()
    else:
        page.locator(".overflow-menu > button").first.click()
        page.locator(".overflow-dropdown button", has_text=name).click()


def pictures(page, place: str, count: int) -> None:
    """Waits for so many pictures, each drawn, and each told to those who do not see it."""
    page.wait_for_function(
        "([place, count]) => document.querySelectorAll(`${place} img`).length >= count",
        arg=[place, count],
    )
    for image in page.locator(f"{place} img").all():
        assert (
            image.evaluate("async image => { await image.decode(); return image.naturalWidth; }")
            > 16
        )
        assert len(image.get_attribute("alt")) > 10


def test_every_tab_shows_what_it_says(opened, picture):
    page = opened(locale="en-US")
    pictures(page, "#layers-found", 1)
    give(page, picture)
    page.wait_for_selector("#answers :text('says: ')")
    go_to(page, "maps")
    pictures(page, "#maps-found", 2)
    go_to(page, "gradcam")
    page.click("#gradcam-ask")
    pictures(page, "#gradcam-found", 4)
    go_to(page, "ideal")
    page.click("#class input")
    page.get_by_role("option", name="zebra", exact=True).click()
    page.click("#ideal-ask")
    pictures(page, "#ideal-found", 4)
    page.wait_for_selector("#ideal-found p:has-text('zebra')")
    go_to(page, "fool")
    page.get_by_label(say("en", "attack_fgsm")).check()
    page.click("#fool-ask")
    pictures(page, "#fool-found", 3)
    page.locator("#strength input[type=number]").fill("0")
    page.wait_for_selector("#fool-found :text('At strength 0 of 255')")
    first, last = (page.locator("#fool-found img").nth(n).get_attribute("src") for n in (0, 2))
    assert first == last, "at strength 0 nothing is changed"
    go_to(page, "degrade")
    settles(page, "document.querySelectorAll('#degrade-found svg polyline').length", 3)
    assert "32 layers: 62.2 % wrong" in page.locator("#degrade-found svg").get_attribute(
        "aria-label"
    )
    settles(page, "document.querySelectorAll('.sentences li').length", 3 * len(TABS))


def test_the_slider_goes_through_the_layers_by_keyboard(opened, picture):
    page = opened(locale="en-US")
    give(page, picture)
    go_to(page, "maps")
    page.wait_for_selector("#maps-found h2:has-text('Layer 1 of')")
    page.focus("#layer input[type=range]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#maps-found h2:has-text('Layer 2 of')")
    reached = set()
    for _ in range(25):
        page.keyboard.press("Shift+Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert say("en", "tab_maps") in reached


def test_another_network_brings_its_own_layers_and_empties_what_was_found(opened, picture):
    page = opened(locale="en-US")
    give(page, picture)
    go_to(page, "gradcam")
    page.click("#gradcam-ask")
    pictures(page, "#gradcam-found", 4)
    page.click("#network input")
    page.get_by_role("option", name="scratch:plain20-cifar").click()
    page.wait_for_selector(f"#gradcam-found :text('{say('en', 'nothing_yet')}')")
    page.wait_for_selector("#about-network :text('Random weights')")
    page.wait_for_selector("#answers :text('scratch:plain20-cifar says')")
    go_to(page, "layers")
    page.wait_for_selector("#layers-found img[alt*='plain20-cifar']")


def test_an_example_is_tried_with_one_click(opened):
    page = opened(locale="en-US")
    settles(page, "document.querySelectorAll('#examples button img').length", 2)
    page.locator("#examples button").first.click()
    page.wait_for_selector("#answers :text('says: ')")


def test_what_is_no_picture_is_answered_in_the_page(opened, tmp_path):
    page = opened(locale="en-US")
    (tmp_path / "a.png").write_text("<svg/>")
    give(page, tmp_path / "a.png")
    page.wait_for_selector("#answers :text('SVG is a drawing')")
    go_to(page, "gradcam")
    page.click("#gradcam-ask")
    page.wait_for_selector(".toast-wrap :text('SVG is a drawing')")


def test_the_browser_decides_the_language_and_the_switch_says_all_anew(opened, picture):
    page = opened(locale="my-MM")
    page.wait_for_selector(f"h1:text-is('{say('my', 'title')}')")
    page.wait_for_selector(f"#layers-found th:text-is('{say('my', 'column_layer')}')")
    give(page, picture)
    go_to(page, "gradcam", "my")
    page.click("#gradcam-ask")
    pictures(page, "#gradcam-found", 4)
    page.wait_for_selector(f"#gradcam-found :text('{say('my', 'seen')}')")
    page.get_by_label("English").check()
    page.wait_for_selector(f"#gradcam-found :text('{say('en', 'seen')}')")
    page.wait_for_selector(f".sentences :text('{say('en', 'gradcam_1')}')")
    page.wait_for_function("document.documentElement.lang === 'en'")


@pytest.mark.parametrize("language", ["en", "my"])
def test_nothing_is_wider_than_a_phone(opened, language, picture):
    locale = {"en": "en-US", "my": "my-MM"}[language]
    page = opened(locale=locale, viewport=PHONE, is_mobile=True, has_touch=True)
    page.wait_for_selector(f"h1:text-is('{say(language, 'title')}')")
    give(page, picture)
    for tab in TABS:
        go_to(page, tab, language)
        if tab in ("gradcam", "ideal"):
            page.click(f"#{tab}-ask")
            pictures(page, f"#{tab}-found", 4)
        page.wait_for_timeout(200)
        settles(page, "most => document.documentElement.scrollWidth <= most", True, PHONE["width"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_read_stands_out_from_what_is_behind_it(opened, scheme):
    page = opened(locale="en-US", color_scheme=scheme)
    for place in (
        ".intro p",
        ".sentences li",
        ".note p",
        "#layers-found td",
        "#layers-found thead th",
        "#network [data-testid=block-info]",
        "#picture label[data-testid=block-label]",
    ):
        settles(page, f"place => ({CONTRAST})(place) >= 4.5", True, place)


def test_nothing_is_fetched_from_elsewhere(browser, lab_up):  # noqa: F811
    asked = []
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab_up.address)
    page.wait_for_selector("#layers-found table")
    context.close()
    assert not [url for url in asked if not url.startswith((lab_up.address, "data:", "blob:"))]


def test_ctrl_c_ends_it(lab_up):
    lab_up.process.send_signal(signal.SIGINT)  # the last test: nothing is up after it
    assert lab_up.process.wait(60) == 0
    assert "the page is down" in lab_up.said()
