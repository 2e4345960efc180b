"""How the pages look: nothing comes from elsewhere, and they are light or dark as the reader has it."""

STYLE = """
:root { color-scheme: light dark; --text: #1c2330; --soft: #5b6577; --line: #dfe3ea; --page: #f6f7f9;
  --card: #fff; --get: #0b6bcb; --post: #1a7f4b; --code: #eef1f5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8f0; --soft: #9aa6b8; --line: #2b3442; --page: #12161d; --card: #1a202a;
    --get: #6cb2ff; --post: #5fd39a; --code: #232b37; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.02em; }
h1 small { font-size: .95rem; font-weight: 500; color: var(--soft); letter-spacing: 0; margin-left: .5rem; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.15rem; }
h3 { margin: 1rem 0 .3rem; font-size: .82rem; color: var(--soft); font-weight: 600; }
p { margin: .6rem 0; max-width: 46rem; }
a { color: var(--get); }
code { font: .87em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
p code, td code { background: var(--code); border-radius: 4px; padding: .1em .35em; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: .45rem 0; }
summary { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; padding: .55rem .9rem;
  cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--get); outline-offset: 2px; border-radius: 8px; }
summary span { color: var(--soft); margin-left: auto; font-size: .9rem; }
.method { font-weight: 700; font-size: .78rem; min-width: 2.7rem; }
.get { color: var(--get); } .post { color: var(--post); }
details > div { border-top: 1px solid var(--line); padding: .3rem .9rem .9rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td { padding: .3rem 1rem .3rem 0; vertical-align: top; border-top: 1px solid var(--line); }
tr:first-child td { border-top: 0; }
td:first-child { white-space: nowrap; width: 1%; padding-right: 1.5rem; }
div:target { box-shadow: inset 3px 0 var(--get); }
ul.links { padding: 0; list-style: none; } ul.links li { margin: .4rem 0; }
"""
