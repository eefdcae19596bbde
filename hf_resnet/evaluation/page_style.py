"""How the page of a measurement looks: light and dark, on a wide screen and on a phone."""

STYLE = """
:root { --ink: #1a1a1a; --pale: #5c5c5c; --paper: #fff; --card: #f5f5f3; --line: #dcdcd8;
  --blue: #0b62a8; --soft: #bcd7ee; --warn: #fff4e0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececea; --pale: #a8a8a4; --paper: #161618; --card: #222225; --line: #3a3a3e;
    --blue: #6db3f2; --soft: #274a68; --warn: #3a2f1b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; overflow-wrap: anywhere; }
p, li { overflow-wrap: anywhere; }
.lead, .small, .file, figcaption { color: var(--pale); }
.small, .file, figcaption { font-size: .85rem; }
.file, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.file { font-size: .78rem; overflow-wrap: anywhere; }
.note { background: var(--warn); border-radius: .4rem; padding: .5rem .8rem; margin: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
th[scope=row] { font-weight: 500; overflow-wrap: anywhere; min-width: 8rem; }
thead th { color: var(--pale); font-weight: 500; font-size: .85rem; }
td { white-space: nowrap; }
td.file { white-space: normal; }
.big { font-weight: 650; }
.wide { width: 34%; min-width: 9rem; }
.line, .bar { display: inline-block; position: relative; height: .7rem; border-radius: .35rem;
  background: var(--card); width: 100%; vertical-align: middle; }
.line i, .bar i { position: absolute; top: 0; bottom: 0; border-radius: .35rem;
  background: var(--soft); }
.bar:has(+ .small) { width: 70%; margin-right: .4rem; }
.bar i { left: 0; background: var(--blue); }
.line b { position: absolute; top: -.1rem; bottom: -.1rem; width: .25rem; margin-left: -.12rem;
  border-radius: .1rem; background: var(--blue); }
.plot { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .5rem;
  border: 1px solid var(--line); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem;
  align-items: start; }
article { background: var(--card); border-radius: .6rem; padding: .8rem; }
article > img { width: 100%; height: 12rem; object-fit: contain; }
article p { margin: .5rem 0 0; }
.gone { height: 12rem; display: grid; place-items: center; color: var(--pale); }
.heats { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; margin-top: .7rem; }
.heats img { width: 100%; height: auto; border-radius: .3rem; display: block; }
figure { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--card); border-radius: .5rem; padding: .8rem; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .85rem; }
"""
