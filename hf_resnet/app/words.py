"""Every text of the page, in English and Burmese.

WORDS[language][key]; both languages have the same keys, and the same {places} to fill in. To add a
language, add a column here and its name to LANGUAGES.
"""

import errno

from hf_resnet.labels import natural_order

LANGUAGES = {"en": "English", "my": "မြန်မာ"}

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "What is in the picture?",
        "subtitle": "This model tells {count} classes apart: {names}.",
        "and_more": "{names} and {count} more",
        "language": "Language",
        "tab_one": "One picture",
        "tab_many": "Many pictures",
        "tab_about": "About",
        "picture": "Your picture",
        "picture_hint": "Drop a picture here, paste one, or take a photo",
        "waiting": "The answer appears here as soon as there is a picture.",
        "answer": "{label}",
        "sure": "The model holds this to be {percent} likely.",
        "unsure_title": "None of my classes, it seems",
        "unsure": "The likeliest would be {label}, and that is only {percent} likely.",
        "bars": "The likeliest classes",
        "where": "Where did it look?",
        "where_none": "Nothing in the picture speaks for this answer.",
        "where_text": "What glows is where the model found {label}. With the brightest fifth covered, "
        "the answer falls from {before} to {covered} likely.",
        "where_text_stays": "What glows is where the model found {label}. Even with the brightest "
        "fifth covered, it is {covered} likely (before: {before}).",
        "seen_alt": "The part of your picture that the model sees",
        "heat_alt": "The same picture in grey; what speaks for {label} glows",
        "seen": "What the model sees",
        "heat": "Where it found {label}",
        "wrong": "Is this wrong?",
        "wrong_text": "Say what it is. The picture is kept with that name, so that the model can learn "
        "from it.",
        "right_label": "It is really",
        "keep": "Keep it with the right name",
        "kept": "Thank you. Kept as {label}; {count} kept so far.",
        "choose_label": "Choose what it really is first.",
        "files": "Your pictures, up to {count}",
        "look_all": "Look at all of them",
        "table": "Answers",
        "column_file": "File",
        "column_answer": "Answer",
        "column_sure": "How likely",
        "column_second": "Otherwise",
        "csv": "Download as CSV",
        "not_used": "not used: {reason}",
        "unsure_cell": "none of my classes ({label})",
        "error": "That did not work",
        "no_picture": "There is no picture yet. Give one first.",
        "too_many": "{got} files are too many at once; give up to {count}.",
        "bad_picture": "This file cannot be used: {reason}",
        "no_links": "Pictures are uploaded; addresses of the web are not opened.",
        "cannot": "This cannot be done: {reason}",
        "no_room": "There is no room for more pictures right now. Please try again in an hour.",
        "kept_full": "Very many pictures have been kept already, so this one is not. The model has to "
        "learn from those first.",
        "measured": "How good is it?",
        "measured_text": "Measured on {n} pictures ({split}) that tell how it does on pictures like "
        "them. In brackets: where the true figure lies with 95 % confidence.",
        "not_measured": "This model has not been measured, so nobody knows how often it is right.",
        "accuracy": "Right at first",
        "top_5_accuracy": "Right among the first five",
        "macro_f1": "Macro F1 (each class counts alike)",
        "figure": "{value} ({low} – {high})",
        "confused": "Most often mistaken",
        "confused_line": "{truth} taken for {answer}: {count} of {of}",
        "classes": "What it knows",
        "learned_from": "{name} ({count} pictures)",
        "limits": "What to keep in mind",
        "limit_always": "It always answers with one of its classes, even for a picture of something "
        "else.",
        "limit_unsure": "Below {percent} likely it says that the picture is none of its classes.",
        "limit_sure": "Sure is not right: a high figure can belong to a wrong answer.",
        "limit_like": "It does best on pictures like those it learned from.",
        "limit_kept": "Uploaded pictures are deleted within two hours. Only those you report as wrong "
        "are kept.",
        "limit_none_kept": "Uploaded pictures are deleted within two hours; none is kept.",
        "made_from": "Made from {model} with hf_resnet.",
        "api": "Use it from a program",
        "api_python": "In Python (pip install gradio_client):",
        "api_http": "With plain HTTP, in three steps: upload, ask, fetch:",
        "busy": "Very many people are asking right now. Please try again in a moment.",
        "examples": "Or try one of these",
        "api_mcp": "As a tool of a language model (MCP), in the settings of its program:",
        "reason_too_large": "it is too large (at most 20 MB and 64 megapixels)",
        "reason_too_small": "it is too small",
        "reason_too_narrow": "it is far longer than wide",
        "reason_kind": "it is not a picture of a kind that is read; save it as JPEG or PNG",
        "reason_broken": "it is damaged, or did not arrive whole; try again",
        "reason_gone": "it is no longer here; give it again",
        # gradio's own, letter for letter: see in_browser
        "upload_file": "Upload file",
        "file_upload": "File upload",
        "take_photo": "Capture from camera",
        "paste_picture": "Paste from clipboard",
        "open_camera": "Click to Access Webcam",
        "grant_camera": "grant webcam access",
        "empty": "Empty value",
        "close": "Close",
        "capture": "capture photo",
        "remove_picture": "Remove Image",
        "drop_picture": "Drop an image file here to upload",
        "remove_file": "Remove this file",
        "remove_all": "Clear",
        "choose_files": "Click to upload or drop files",
        "drop_files": "Drop File Here",
        "or": "- or -",
        "choose": "Click to Upload",
    },
    "my": {
        "title": "ပုံထဲမှာ ဘာပါသလဲ။",
        "subtitle": "ဤမော်ဒယ်သည် အမျိုးအစား {count} မျိုးကို ခွဲခြားနိုင်သည် — {names}။",
        "and_more": "{names} နှင့် အခြား {count} မျိုး",
        "language": "ဘာသာစကား",
        "tab_one": "ပုံတစ်ပုံ",
        "tab_many": "ပုံများစွာ",
        "tab_about": "အကြောင်း",
        "picture": "သင့်ပုံ",
        "picture_hint": "ပုံကို ဤနေရာသို့ ဆွဲထည့်ပါ၊ ကူးထည့်ပါ၊ သို့မဟုတ် ဓာတ်ပုံရိုက်ပါ",
        "waiting": "ပုံထည့်ပြီးသည်နှင့် အဖြေကို ဤနေရာတွင် ပြပါမည်။",
        "answer": "{label}",
        "sure": "ဤအဖြေ ဖြစ်နိုင်ခြေမှာ {percent} ဟု မော်ဒယ်က ယူဆသည်။",
        "unsure_title": "သိထားသည့် အမျိုးအစားများထဲမှ မဟုတ်ဟု ထင်သည်",
        "unsure": "အနီးစပ်ဆုံးမှာ {label} ဖြစ်သော်လည်း ဖြစ်နိုင်ခြေ {percent} သာ ရှိသည်။",
        "bars": "ဖြစ်နိုင်ခြေ အများဆုံး အမျိုးအစားများ",
        "where": "ဘယ်နေရာကို ကြည့်ခဲ့သလဲ။",
        "where_none": "ပုံထဲတွင် ဤအဖြေကို ထောက်ခံသည့်အရာ မတွေ့ပါ။",
        "where_text": "တောက်ပနေသောနေရာသည် မော်ဒယ်က {label} ကို တွေ့ခဲ့သည့်နေရာ ဖြစ်သည်။ "
        "အတောက်ပဆုံး ငါးပုံတစ်ပုံကို ဖုံးလိုက်လျှင် ဖြစ်နိုင်ခြေ {before} မှ {covered} သို့ ကျသွားသည်။",
        "where_text_stays": "တောက်ပနေသောနေရာသည် မော်ဒယ်က {label} ကို တွေ့ခဲ့သည့်နေရာ ဖြစ်သည်။ "
        "အတောက်ပဆုံး ငါးပုံတစ်ပုံကို ဖုံးထားသော်လည်း ဖြစ်နိုင်ခြေ {covered} ရှိသည် (မူလက {before})။",
        "seen_alt": "သင့်ပုံထဲမှ မော်ဒယ်မြင်ရသည့် အပိုင်း",
        "heat_alt": "အဖြူအမည်းပြောင်းထားသော ပုံတွင် {label} ကို ထောက်ခံသည့်နေရာ တောက်ပနေသည်",
        "seen": "မော်ဒယ်မြင်ရသည့်ပုံ",
        "heat": "{label} ကို တွေ့ခဲ့သည့်နေရာ",
        "wrong": "အဖြေ မှားနေသလား။",
        "wrong_text": "တကယ်က ဘာလဲ ပြောပေးပါ။ မော်ဒယ်က ပြန်လေ့လာနိုင်ရန် ပုံကို အမည်မှန်ဖြင့် သိမ်းထားပါမည်။",
        "right_label": "တကယ်တော့",
        "keep": "အမည်မှန်ဖြင့် သိမ်းပါ",
        "kept": "ကျေးဇူးတင်ပါသည်။ {label} အဖြစ် သိမ်းပြီးပါပြီ။ ယခုအထိ {count} ပုံ သိမ်းထားသည်။",
        "choose_label": "တကယ်က ဘာလဲဆိုတာ အရင်ရွေးပါ။",
        "files": "သင့်ပုံများ (အများဆုံး {count} ပုံ)",
        "look_all": "ပုံအားလုံးကို ကြည့်ပါ",
        "table": "အဖြေများ",
        "column_file": "ဖိုင်",
        "column_answer": "အဖြေ",
        "column_sure": "ဖြစ်နိုင်ခြေ",
        "column_second": "သို့မဟုတ်",
        "csv": "CSV ဖိုင် ရယူပါ",
        "not_used": "မသုံးနိုင်ပါ — {reason}",
        "unsure_cell": "သိထားသည့် အမျိုးအစား မဟုတ်ပါ ({label})",
        "error": "အဆင်မပြေပါ",
        "no_picture": "ပုံ မရှိသေးပါ။ ပုံတစ်ပုံ အရင်ထည့်ပါ။",
        "too_many": "ဖိုင် {got} ခုသည် များလွန်းသည်။ တစ်ကြိမ်လျှင် {count} ခုအထိသာ ထည့်ပါ။",
        "bad_picture": "ဤဖိုင်ကို မသုံးနိုင်ပါ — {reason}",
        "no_links": "ပုံဖိုင်ကို တင်ပေးပါ။ ဝဘ်လိပ်စာများကို မဖွင့်ပါ။",
        "cannot": "မလုပ်ဆောင်နိုင်ပါ — {reason}",
        "no_room": "ယခု ပုံများ ထပ်ထားရန် နေရာ မရှိပါ။ တစ်နာရီခန့်ကြာမှ ထပ်ကြိုးစားပါ။",
        "kept_full": "သိမ်းထားသော ပုံများ ပြည့်နေသဖြင့် ဤပုံကို မသိမ်းနိုင်ပါ။ မော်ဒယ်က ၎င်းတို့ကို အရင်လေ့လာရပါမည်။",
        "measured": "ဘယ်လောက် မှန်သလဲ။",
        "measured_text": "ပုံ {n} ပုံ ({split}) ဖြင့် တိုင်းတာထားသည်။ ၎င်းတို့နှင့် ဆင်တူသည့် ပုံများတွင် "
        "မည်မျှမှန်သည်ကို ပြသည်။ ကွင်းအတွင်းရှိ ကိန်းများမှာ 95 % ယုံကြည်မှုဖြင့် တန်ဖိုးမှန် ရှိမည့် အပိုင်းအခြား ဖြစ်သည်။",
        "not_measured": "ဤမော်ဒယ်ကို မတိုင်းတာရသေးပါ။ ထို့ကြောင့် မည်မျှမှန်သည်ကို မသိနိုင်သေးပါ။",
        "accuracy": "ပထမအဖြေ မှန်ကန်မှု",
        "top_5_accuracy": "ပထမ ငါးခုထဲ မှန်ကန်မှု",
        "macro_f1": "Macro F1 (အမျိုးအစားတိုင်း တန်းတူ)",
        "figure": "{value} ({low} – {high})",
        "confused": "အမှားများသော အတွဲများ",
        "confused_line": "{truth} ကို {answer} ဟု မှားဖြေ — {of} ပုံတွင် {count} ပုံ",
        "classes": "သိထားသည့် အမျိုးအစားများ",
        "learned_from": "{name} ({count} ပုံ)",
        "limits": "သတိပြုရန်",
        "limit_always": "အခြားအရာတစ်ခု၏ ပုံဖြစ်နေလျှင်ပင် သိထားသည့် အမျိုးအစားတစ်ခုဖြင့် အမြဲဖြေသည်။",
        "limit_unsure": "ဖြစ်နိုင်ခြေ {percent} အောက်ဆိုလျှင် သိထားသည့် အမျိုးအစား မဟုတ်ဟု ဖြေသည်။",
        "limit_sure": "ဖြစ်နိုင်ခြေ မြင့်တိုင်း မမှန်ပါ။ အဖြေမှားလည်း ဖြစ်နိုင်သည်။",
        "limit_like": "လေ့လာခဲ့သည့် ပုံများနှင့် ဆင်တူသည့် ပုံများတွင် အကောင်းဆုံး ဖြေနိုင်သည်။",
        "limit_kept": "တင်လိုက်သော ပုံများကို နှစ်နာရီအတွင်း ဖျက်ပါမည်။ မှားသည်ဟု သင်ပြောသော ပုံများကိုသာ သိမ်းထားပါမည်။",
        "limit_none_kept": "တင်လိုက်သော ပုံများကို နှစ်နာရီအတွင်း ဖျက်ပါမည်။ တစ်ပုံမျှ မသိမ်းထားပါ။",
        "made_from": "{model} ကို အခြေခံ၍ hf_resnet ဖြင့် ပြုလုပ်ထားသည်။",
        "api": "ပရိုဂရမ်မှ အသုံးပြုရန်",
        "api_python": "Python ဖြင့် (pip install gradio_client) —",
        "api_http": "HTTP ဖြင့် အဆင့်သုံးဆင့် — တင်ပါ၊ မေးပါ၊ အဖြေယူပါ —",
        "busy": "ယခု အသုံးပြုသူ အလွန်များနေပါသည်။ ခဏနေလျှင် ထပ်ကြိုးစားပါ။",
        "examples": "သို့မဟုတ် ဤပုံများကို စမ်းကြည့်ပါ",
        "api_mcp": "ဘာသာစကားမော်ဒယ်၏ ကိရိယာ (MCP) အဖြစ် သုံးရန် ၎င်း၏ ပရိုဂရမ် ဆက်တင်တွင် ထည့်ပါ —",
        "reason_too_large": "ကြီးလွန်းသည် (အများဆုံး 20 MB နှင့် 64 megapixels)",
        "reason_too_small": "သေးလွန်းသည်",
        "reason_too_narrow": "အလျားနှင့် အနံ ကွာလွန်းသည်",
        "reason_kind": "ဖတ်နိုင်သော ပုံအမျိုးအစား မဟုတ်ပါ။ JPEG သို့မဟုတ် PNG အဖြစ် သိမ်းပြီး ထည့်ပါ",
        "reason_broken": "ဖိုင်ပျက်နေသည် သို့မဟုတ် အပြည့်အစုံ မရောက်ပါ။ ထပ်ကြိုးစားပါ",
        "reason_gone": "ဖိုင် မရှိတော့ပါ။ ထပ်ထည့်ပါ",
        "upload_file": "ဖိုင်တင်ပါ",
        "file_upload": "ဖိုင်တင်ရန်",
        "take_photo": "ကင်မရာဖြင့် ရိုက်ပါ",
        "paste_picture": "ကူးထားသောပုံကို ထည့်ပါ",
        "open_camera": "ကင်မရာဖွင့်ရန် နှိပ်ပါ",
        "grant_camera": "ကင်မရာ သုံးခွင့်ပေးပါ",
        "empty": "မရှိသေးပါ",
        "close": "ပိတ်ပါ",
        "capture": "ဓာတ်ပုံရိုက်ပါ",
        "remove_picture": "ပုံကို ဖယ်ပါ",
        "drop_picture": "ပုံဖိုင်ကို ဤနေရာသို့ ဆွဲထည့်ပါ",
        "remove_file": "ဤဖိုင်ကို ဖယ်ပါ",
        "remove_all": "အားလုံးကို ဖယ်ပါ",
        "choose_files": "ဖိုင်များကို နှိပ်၍ ရွေးပါ၊ သို့မဟုတ် ဆွဲထည့်ပါ",
        "drop_files": "ပုံများကို ဤနေရာသို့ ဆွဲထည့်ပါ",
        "or": "- သို့မဟုတ် -",
        "choose": "နှိပ်၍ ရွေးပါ",
    },
}

_KINDS = {
    "too large": "reason_too_large",
    "not enough memory": "reason_too_large",
    "too small": "reason_too_small",
    "too narrow": "reason_too_narrow",
    "truncated": "reason_broken",
    "damaged": "reason_broken",
    "empty": "reason_broken",
    "no such file": "reason_gone",
}
"""How the reasons of `images` begin, and what is said of them in short."""

_IS_FULL = "pictures already; learn from them first"
"""How `keeping` ends where it keeps no more."""

_OF_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def say(language: str, key: str, **values: object) -> str:
    """The text of a key in a language, with its places filled."""
    return WORDS[language][key].format(**values)


def reason(language: str, text: str) -> str:
    """Why a picture cannot be used; English has the exact reason, other languages the kind of it."""
    if language == "en":
        return text
    kind = next((key for start, key in _KINDS.items() if text.startswith(start)), "reason_kind")
    return say(language, kind)


def trouble(language: str, exc: BaseException) -> str:
    """Why something cannot be done: of the known kinds in plain words, of others the error's own."""
    if isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _OF_ROOM:
        return say(language, "no_room")
    if str(exc).endswith(_IS_FULL):
        return say(language, "kept_full")
    return say(language, "cannot", reason=str(exc))


def best_language(accepted: str) -> str:
    """The first language of an Accept-Language header that the page speaks."""
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return "en"


def percent(share: float) -> str:
    """'93 %', with a digit more where it would be 0 or 100."""
    digits = 1 if 0.995 <= share < 0.9995 or 0.0005 <= share < 0.005 else 0
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def some_of(language: str, names: tuple[str, ...], most: int = 12) -> str:
    """The class names as one text; of many the first, and how many are left."""
    in_order = natural_order(names)
    shown = ", ".join(in_order[:most])
    if len(names) <= most:
        return shown
    return say(language, "and_more", names=shown, count=len(names) - most)
