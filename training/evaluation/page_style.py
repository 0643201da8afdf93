"""How a report's page looks, in light and in dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2024; --soft: #5b6470; --page: #ffffff; --grid: #d4d8dd; --band: #f4f6f8;
  --mark: #e8f0fe;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ed; --soft: #a0a8b3; --page: #15181c; --grid: #3a4048; --band: #1d2126;
    --mark: #1b2b47;
  }
}
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p { max-width: 46rem; }
.lead { color: var(--soft); margin-top: 0; }
.verdict { border-left: 4px solid #2f6fdb; background: var(--mark); padding: .75rem 1rem;
  font-weight: 600; }
figure { margin: 1rem 0; }
figure svg { width: 100%; max-width: 54rem; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { text-align: right; vertical-align: bottom; color: var(--soft); font-weight: 600; }
td.figure { text-align: right; font-variant-numeric: tabular-nums; }
th.text, td.text { text-align: left; }
td.text:first-child { font-weight: 600; }
tbody tr:hover { background: var(--band); }
tr.ours { background: var(--mark); }
small { display: block; color: var(--soft); font-size: .78rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--soft); }
pre { background: var(--band); padding: .75rem 1rem; overflow-x: auto; }
"""
