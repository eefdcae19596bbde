"""What the lab adds to the page's style sheet; colours are the theme's, for light and dark."""

CSS = """
.sentences ol { margin: 4px 0 8px; padding-left: 1.4em; list-style: decimal; line-height: 1.7;
  max-width: 110ch; }
.sentences.my ol { line-height: 2; }
.sentences li { margin: 2px 0; }
#credit { font-size: .85rem; }
.lab-empty { border: 1px dashed var(--border-color-primary); border-radius: var(--block-radius);
  color: var(--body-text-color-subdued); padding: 28px 18px !important; text-align: center; }
.warn { border-left: 4px solid var(--primary-500); padding-left: 10px !important; }
.note p { margin: 2px 0; line-height: 1.7; }
.found h2 { font-size: 1.1rem; margin: 0 0 8px; line-height: 1.6; overflow-wrap: anywhere; }
.found p { margin: 8px 0; line-height: 1.7; }
.side-by-side { display: grid; gap: 14px; margin: 6px 0; align-items: start; }
.side-by-side.four { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.side-by-side.three { grid-template-columns: repeat(3, minmax(0, 1fr)); }
.side-by-side.two { grid-template-columns: minmax(0, 1fr) minmax(0, 2fr); }
.side-by-side figure { margin: 0; }
.side-by-side img { width: 100%; display: block; border-radius: 10px; background: white; }
.side-by-side figcaption { font-size: .9rem; line-height: 1.6; margin-top: 6px;
  color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.my .side-by-side figcaption { line-height: 1.9; }
/* what scrolls by itself does not make the page wider */
.wide, .scrolled { contain: inline-size; }
.wide { overflow-x: auto; margin-top: 18px; }
.wide img { min-width: 720px; border-radius: 0; }
.wide figcaption { position: sticky; left: 0; max-width: min(100%, 80vw); }
.scrolled { overflow: auto; max-height: 460px; border: 1px solid var(--border-color-primary);
  border-radius: var(--block-radius); background: var(--block-background-fill); }
.scrolled table { border-collapse: collapse; width: 100%; margin: 0 !important; font-size: .9rem; }
.scrolled caption { position: absolute; clip-path: inset(50%); }
.scrolled th, .scrolled td { border: 0 !important; padding: 7px 12px !important; text-align: left;
  border-top: 1px solid var(--border-color-primary) !important; font-weight: 400; }
.scrolled td { white-space: nowrap; }
.scrolled tbody th { font-family: var(--font-mono); overflow-wrap: anywhere; min-width: 8em; }
.scrolled thead th { position: sticky; top: 0; background: var(--block-background-fill);
  color: var(--body-text-color-subdued); border-top: 0 !important; }
.scrolled .n { text-align: right; font-variant-numeric: tabular-nums; }
.scrolled .total th, .scrolled .total td { font-weight: 650; font-family: inherit; }
.chart { width: 100%; max-width: 720px; height: auto; display: block; }
.chart text { fill: var(--body-text-color); font-size: 14px; }
.chart .grid { stroke: var(--border-color-primary); }
.chart polyline { fill: none; stroke-width: 3; }
.kind-0 { --ink: #d55e00; } .kind-1 { --ink: #2b7fc0; } .kind-2 { --ink: #009e73; }
.kind-1 polyline { stroke-dasharray: 9 5; } .kind-2 polyline { stroke-dasharray: 3 5; }
.chart polyline { stroke: var(--ink); } .chart circle, .chart rect { fill: var(--ink); }
.legend { list-style: none !important; display: flex; flex-wrap: wrap; gap: 6px 20px;
  padding: 0 !important; margin: 6px 0 !important; }
.legend li::before { content: ""; display: inline-block; width: 12px; height: 12px; margin-right: 8px;
  background: var(--ink); }
.legend .kind-0::before { border-radius: 50%; } .legend .kind-2::before { transform: rotate(45deg); }
@media (max-width: 640px) {
  .side-by-side.four, .side-by-side.three { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .side-by-side.two { grid-template-columns: minmax(0, 1fr); }
  .chart text { font-size: 20px; }
}
"""
