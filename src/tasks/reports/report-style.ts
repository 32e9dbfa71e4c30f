/** The look of an HTML report: light or dark as the reader's system is, from phone to paper. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f6; --card: #ffffff; --ink: #1b211e; --soft: #5b665f; --line: #e0e5e1; --stripe: #f8faf8;
  --bar: #2f7d57; --negative: #b8503f; --track: #edf1ee; --note: #fdf6e3; --note-line: #e2c778;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121513; --card: #1a1f1c; --ink: #e6ebe7; --soft: #9aa69e; --line: #2e3631; --stripe: #1e2420;
    --bar: #55b386; --negative: #e08472; --track: #262d29; --note: #2a2616; --note-line: #6b5b25;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif;
}
main, header, footer { max-width: 1180px; margin: 0 auto; padding: 0 28px }
header { padding-top: 44px }
.kind { margin: 0; color: var(--bar); font-size: 13px; font-weight: 600; overflow-wrap: anywhere }
h1 { margin: 4px 0 0; font-size: clamp(25px, 4vw, 36px); line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere; text-wrap: balance }
dl { display: flex; flex-wrap: wrap; gap: 14px 40px; margin: 22px 0 0; padding: 0 }
dt { color: var(--soft); font-size: 13px }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.notes { margin: 26px 0 0; padding: 12px 20px; background: var(--note); border: 1px solid var(--note-line); border-radius: 10px; font-size: 15px }
.notes ul { margin: 0; padding-left: 18px }
.notes li { overflow-wrap: anywhere }
section { margin: 26px 0 0; padding: 24px 26px 26px; background: var(--card); border: 1px solid var(--line); border-radius: 14px }
h2 { margin: 0 0 18px; font-size: 20px; line-height: 1.3; letter-spacing: -0.01em; overflow-wrap: anywhere }
.pair { display: grid; gap: 28px 40px; align-items: start }
@media (min-width: 860px) { .pair { grid-template-columns: 1fr 1fr } }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 28px 48px; min-width: 0 }
section > .charts + .scroll { margin-top: 24px }
figure { margin: 0; min-width: 0 }
figcaption, caption { padding: 0 0 8px; color: var(--soft); font-size: 13px; font-weight: 600; text-align: left }
svg { display: block; overflow: visible }
svg text { fill: var(--ink); font-size: 14px }
svg .value { stroke: var(--card); stroke-width: 7px; paint-order: stroke; font-variant-numeric: tabular-nums; font-weight: 600 }
.track { fill: var(--track) } .bar { fill: var(--bar) } .negative { fill: var(--negative) }
.zero { stroke: var(--soft); stroke-width: 1 }
.more { margin: 6px 0 0; color: var(--soft); font-size: 13px }
.scroll { max-height: 720px; overflow: auto; border: 1px solid var(--line); border-radius: 10px }
.scroll:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: 14px; font-variant-numeric: tabular-nums }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
th, td { padding: 8px 11px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); background: var(--card) }
thead th { position: sticky; top: 0; z-index: 2; color: var(--soft); font-size: 13px; font-weight: 600 }
th:first-child { position: sticky; left: 0; z-index: 1; max-width: 260px; overflow: hidden; text-overflow: ellipsis; text-align: left; font-weight: 500 }
thead th:first-child { z-index: 3; font-weight: 600 }
tbody tr:nth-child(even) > * { background: var(--stripe) }
tbody tr:last-child > * { border-bottom: 0 }
tfoot > tr > * { position: sticky; bottom: 0; z-index: 1; border-top: 1px solid var(--line); border-bottom: 0; font-weight: 650 }
tfoot th:first-child { z-index: 3; font-weight: 650 }
.none { color: var(--soft) }
footer { padding-top: 22px; padding-bottom: 56px; color: var(--soft); font-size: 13px }
footer p { margin: 0 0 6px; max-width: 78ch }
@media (max-width: 600px) {
  main, header, footer { padding-left: 14px; padding-right: 14px }
  header { padding-top: 28px }
  section { padding: 18px 15px 17px; border-radius: 12px; margin-top: 18px }
  dl { gap: 12px 26px }
  th:first-child { max-width: 140px }
  th, td { padding: 8px 10px }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --stripe: #fff;
    --bar: #2f7d57; --negative: #b8503f; --track: #eee; --note: #fff; --note-line: #bbb;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  body { font-size: 11pt }
  header { padding-top: 0 }
  section { padding: 0; border: 0; border-radius: 0 }
  .pair { grid-template-columns: 1fr }
  .scroll { max-height: none; overflow: visible; border: 0; border-radius: 0 }
  table { font-size: 9pt }
  th, td { padding: 4px 7px }
  thead th, th:first-child, tfoot > tr > * { position: static }
  tr, figure g, h2, .notes { break-inside: avoid }
  h2 { break-after: avoid }
}
`
