"""The page's theme and style sheet.

Colours are the theme's own variables, so light and dark need no rule of ours.
"""

import gradio as gr

TEXT_FONTS = (
    *("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Noto Sans Myanmar"),
    *("Padauk", "Pyidaungsu", "Myanmar Text", "Myanmar Sangam MN", "sans-serif"),
)
CODE_FONTS = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")

CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important; }
#top { align-items: center; flex-wrap: nowrap; gap: 16px; margin-bottom: 4px; }
#top > * { min-width: 0 !important; }
.intro h1 { font-size: 1.7rem; line-height: 1.35; font-weight: 700; margin: 0; letter-spacing: -.01em; }
.intro p { margin: 4px 0 0; color: var(--body-text-color-subdued); line-height: 1.6; }
.plain, .html-container:has(.plain) { padding: 0 !important; }
#language { flex: 0 0 auto !important; width: auto !important; }
#language .wrap { flex-wrap: nowrap; gap: 6px; }
#language label { padding: 6px 12px; border-radius: 999px; min-height: 40px; white-space: nowrap;
  box-shadow: none; border: 1px solid var(--border-color-primary); }
:lang(my), .my { line-height: 1.9; }
.result { border: 1px solid var(--border-color-primary); border-radius: var(--block-radius);
  background: var(--block-background-fill); padding: 22px 24px !important; min-height: 132px; }
.result.empty { display: grid; place-items: center; text-align: center;
  color: var(--body-text-color-subdued); border-style: dashed; min-height: 380px; }
.result h2 { font-size: 1.9rem; line-height: 1.45; margin: 0; font-weight: 700;
  overflow-wrap: anywhere; }
.result p { margin: 2px 0 18px; color: var(--body-text-color-subdued); }
.bars { list-style: none; margin: 0; padding: 0; display: grid; gap: 12px; }
.bars li { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; margin: 0; }
.bars .share { font-variant-numeric: tabular-nums; }
.bars .track { grid-column: 1 / -1; height: 9px; border-radius: 9px;
  background: var(--border-color-primary); overflow: hidden; }
.bars .track span { display: block; height: 100%; min-width: 3px; border-radius: 9px;
  background: var(--neutral-400); }
.bars li:first-child .name, .bars li:first-child .share { font-weight: 650; }
.bars li:first-child .track span { background: var(--primary-600); }
.looked { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin: 4px 0; }
.looked figure { margin: 0; }
.looked img { width: 100%; border-radius: var(--block-radius); display: block; }
.looked figcaption { font-size: .875rem; color: var(--body-text-color-subdued); margin-top: 6px; }
.answers { overflow-x: auto; border: 1px solid var(--border-color-primary);
  border-radius: var(--block-radius); background: var(--block-background-fill); }
.answers table { border: 0 !important; width: 100%; border-collapse: collapse; margin: 0; }
.answers tr, .answers thead, .answers tbody { border: 0 !important; background: none !important; }
.answers tbody th { min-width: 7.5em; max-width: 20em; overflow-wrap: anywhere; }
.answers caption { position: absolute; clip-path: inset(50%); }
.answers th, .answers td { border: 0 !important; padding: 10px 16px !important;
  border-top: 1px solid var(--border-color-primary) !important;
  text-align: left; font-weight: 400; }
.answers thead th { border-top: 0 !important; color: var(--body-text-color-subdued); font-size: .9rem;
  overflow-wrap: normal; }
.answers .unused { color: var(--body-text-color-subdued); }
button[role=tab][aria-selected=true] { color: var(--primary-700) !important; }
.dark button[role=tab][aria-selected=true] { color: var(--primary-300) !important; }
.note { color: var(--body-text-color-subdued); margin: 8px 2px 0; }
.about { display: grid; grid-template-columns: minmax(0, 1fr); gap: 26px; padding: 8px 2px; }
.about h2 { font-size: 1.2rem; margin: 0 0 8px; line-height: 1.6; }
.about p, .about li { line-height: 1.7; }
.about ul { margin: 0; padding-left: 1.2em; list-style: disc; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px;
  margin: 12px 0; }
.figures div { border: 1px solid var(--border-color-primary); border-radius: var(--block-radius);
  padding: 14px 16px; background: var(--block-background-fill); }
.figures b { font-size: 1.5rem; display: block; font-variant-numeric: tabular-nums; }
.figures span { color: var(--body-text-color-subdued); display: block; font-size: .9rem; }
.chips { display: flex; flex-wrap: wrap; align-items: center; gap: 8px;
  list-style: none !important; padding: 0 !important; }
.chips li { border: 1px solid var(--border-color-primary); border-radius: 999px; padding: 2px 12px;
  margin: 0 !important; background: var(--block-background-fill); }
.about pre { overflow-x: auto; padding: 14px 16px; border-radius: var(--block-radius);
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  font-size: .85rem; line-height: 1.55; }
:focus-visible { outline: 3px solid var(--primary-500) !important; outline-offset: 2px; }
/* neither a row of tabs makes the page wider, nor is a refusal told once more over what is there */
.tabs { contain: inline-size; }
[data-testid=status-tracker]:has(.error) { display: none !important; }
footer { margin-top: 24px !important; }
@media (max-width: 640px) {
  #top { flex-wrap: wrap; gap: 10px; }
  #top > :first-child { flex: 1 1 100% !important; }
  .answers th, .answers td { padding: 8px 10px !important; }
  .answers tr > :nth-child(4) { display: none; }  /* it is in the CSV */
  .tab-container button { padding-left: 8px !important; padding-right: 8px !important; }
  .intro h1 { font-size: 1.4rem; }
  .result { padding: 16px !important; }
  .result.empty { min-height: 96px; }
  .result h2 { font-size: 1.5rem; }
  /* the answer comes right below the picture, and the examples after it */
  #one > .column:first-child { display: contents; }
  #one > .column:last-child { flex: 1 1 100% !important; order: 1; }
  #picture { width: 100%; height: 300px !important; }
  #examples { order: 2; width: 100%; }
}
"""


def theme() -> gr.themes.Base:
    """Calm colours and the fonts that a device has: nothing is fetched from elsewhere."""
    colours = {
        "body_background_fill": ("*neutral_50", "*neutral_950"),
        "body_text_color_subdued": ("*neutral_600", "*neutral_300"),
        "button_primary_background_fill": ("*primary_700", "*primary_700"),
        "button_primary_background_fill_hover": ("*primary_800", "*primary_800"),
        "checkbox_label_background_fill_selected": ("*primary_700", "*primary_700"),
        "button_secondary_background_fill_hover": ("*neutral_100", "*neutral_600"),
        "block_label_background_fill": ("*primary_100", "*primary_700"),
        "block_label_text_color": ("*primary_800", "white"),
        "block_title_background_fill": ("*primary_100", "*primary_700"),
        "block_title_text_color": ("*primary_800", "white"),
        "link_text_color": ("*primary_700", "*primary_300"),
    }
    soft = gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="lg",
        font=TEXT_FONTS,
        font_mono=CODE_FONTS,
    )
    # what is read stands out from what is behind it by 4.5 to 1 at least
    light = {name: pair[0] for name, pair in colours.items()}
    dark = {f"{name}_dark": pair[1] for name, pair in colours.items()}
    return soft.set(**light, **dark)
