"""What a page does in the browser itself: the words that gradio brings, the document's language, paste.

Gradio has texts of its own (of its buttons, of files that it refuses), which follow the browser and know
no Burmese; here they follow the page's switch, and stand with all others in `words`. The surprise:
gradio takes a picture from the clipboard by a button alone; people press Ctrl-V.
"""

import json

from hf_resnet.app.words import LANGUAGES, WORDS, say

AS_GRADIO_SAYS = (
    *("upload_file", "take_photo", "paste_picture", "open_camera", "capture", "remove_picture"),
    *("drop_picture", "remove_file", "remove_all", "choose_files", "drop_files", "or", "choose"),
    *("file_upload", "grant_camera", "empty", "close"),
)
"""Texts whose English is gradio's, letter for letter, by which they are found."""

OTHERWISE = {"Error": "error", "common.upload": "choose_files"}
BEGINNING = {"File(s) exceed the max": "reason_too_large", "Invalid file type": "reason_kind"}
"""Of gradio's refusals, which go on with the name of the file."""

_SCRIPT = """() => {
    const words = WORDS, exact = new Map(words.exact), beginning = words.beginning;
    const theirs = "#picture, #files, .toast-body";
    const ours = text => exact.get(text) ?? beginning.find(([start]) => text.startsWith(start))?.[1];
    const speak = () => {
        const language = document.querySelector("#language input:checked")?.value ?? "en";
        const said = text => ours(text.trim())?.[language] ?? text;
        const root = document.documentElement;
        if (root.lang !== language) root.lang = language;
        for (const part of document.querySelectorAll(theirs)) {
            const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
            while (nodes.nextNode()) {
                const node = nodes.currentNode, text = said(node.data);
                if (text !== node.data) node.data = text;
            }
            for (const element of part.querySelectorAll("[aria-label], [title]"))
                for (const name of ["aria-label", "title"]) {
                    const text = element.getAttribute(name);
                    if (text && said(text) !== text) element.setAttribute(name, said(text));
                }
        }
        for (const image of document.querySelectorAll("#picture .image-frame img"))
            if (image.alt !== words.picture[language]) image.alt = words.picture[language];
    };
    const seen = {childList: true, subtree: true, attributes: true};
    seen.attributeFilter = ["class", "lang", "aria-label", "title"];
    new MutationObserver(speak).observe(document.documentElement, seen);
    document.addEventListener("paste", event => {
        const file = [...event.clipboardData.files].find(each => each.type.startsWith("image/"));
        const place = document.querySelector("#picture input[type=file]");
        if (!file || !place || !document.querySelector("#picture").offsetParent) return;
        const given = new DataTransfer();
        given.items.add(file);
        place.files = given.files;
        place.dispatchEvent(new Event("change", {bubbles: true}));
        event.preventDefault();
    });
    speak();
}"""


def script() -> str:
    """The JavaScript, run once when a page is opened."""
    exact = []
    for heard, key in (*((WORDS["en"][key], key) for key in AS_GRADIO_SAYS), *OTHERWISE.items()):
        texts = _in_all(key)
        exact += [(text, texts) for text in {heard, *texts.values()}]
    beginning = [(start, _refusals(key)) for start, key in BEGINNING.items()]
    words = {"exact": exact, "beginning": beginning, "picture": _in_all("picture")}
    return _SCRIPT.replace("WORDS", json.dumps(words), 1)


def _in_all(key: str) -> dict[str, str]:
    return {language: say(language, key) for language in LANGUAGES}


def _refusals(key: str) -> dict[str, str]:
    return {
        language: say(language, "bad_picture", reason=say(language, key)) for language in LANGUAGES
    }
