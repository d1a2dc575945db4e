package coverage

// pageHead is the beginning of the HTML page. Its verbs are the name twice, the share in percent, and the items taken and all.
const pageHead = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>%s: coverage</title>
<style>
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2330;--soft:#667085;--line:#d5dae3;--taken:#157347;--taken-fill:#e9f6ee;--missing:#b42318;--missing-fill:#fdeceb}
@media(prefers-color-scheme:dark){:root{--paper:#14171d;--ink:#e6e9ef;--soft:#98a2b3;--line:#39404d;--taken:#5fd08f;--taken-fill:#16281f;--missing:#ff8f85;--missing-fill:#33191a}}
body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,sans-serif}
main{padding:20px 24px}
h1{font-size:20px;margin:0 0 4px}h2{font-size:15px;margin:16px 0 4px}
ul.kinds{display:flex;flex-wrap:wrap;gap:6px 18px;list-style:none;margin:0;padding:0;color:var(--soft)}
ul.kinds b{font-weight:600}.taken{color:var(--taken)}.missing{color:var(--missing)}
ul.missed{margin:0;padding-left:20px}code,svg text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:12px}figure{margin:16px 0;overflow-x:auto;border:1px solid var(--line);border-radius:8px;padding:8px}svg{display:block;margin:auto}
svg text{font-size:11px;fill:var(--ink)}svg text.name{font-weight:700}svg text.type{fill:var(--soft)}svg text.label{text-anchor:middle}
svg text.taken{fill:var(--taken)}svg text.missing{fill:var(--missing);font-weight:700}
.paper{fill:var(--paper)}.inner{fill:var(--paper);stroke:var(--line)}
.state{stroke-width:1.5}.state.taken{fill:var(--taken-fill);stroke:var(--taken)}.state.missing{fill:var(--missing-fill);stroke:var(--missing);stroke-dasharray:5 3;stroke-width:2}
.link{fill:none;stroke-width:1.3}.link.taken{stroke:var(--taken)}.link.missing{stroke:var(--missing);stroke-dasharray:5 3;stroke-width:1.8}
.start{fill:var(--ink)}.end{fill:var(--paper);stroke:var(--ink);stroke-width:3}.head-taken{fill:var(--taken)}.head-missing{fill:var(--missing)}
figcaption{color:var(--soft);font-size:12px;margin-top:8px}table{border-collapse:collapse;margin-top:8px}td,th{padding:2px 10px;text-align:left;border-bottom:1px solid var(--line)}
summary{cursor:pointer}
</style>
<main><h1>%s: %s covered</h1>
<p>%d of %d items of the definition were taken.</p>
<ul class=kinds>
`

// arrowHeads are the ends of links.
const arrowHeads = `<defs><marker id="taken" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto-start-reverse"><path class="head-taken" d="M0 0L8 4L0 8z"/></marker>` +
	`<marker id="missing" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto-start-reverse"><path class="head-missing" d="M0 0L8 4L0 8z"/></marker></defs>`

// legend explains the drawing.
const legend = `<figcaption>✓ and a full line: taken, × and a number how often. ✗ and a dashed line: never taken. A state lists its retriers; ` +
	`a link without a label is Next or End. Point at an item to see all of it.</figcaption>`
