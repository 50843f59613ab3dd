"""The report of the lab: one HTML file that opens anywhere, and what differs between two reports.

    results.Report -> runs (all loads, each with its repeats) -> metrics (numbers with a name and a unit)
                       |
                       +-> analysis: the ratios to the baselines, the limits, the warnings
                       +-> thresholds: the numbers that a threshold can name
                       +-> page: page.html, filled by answer, plots, scaling and tables
                       +-> compare: the same metrics of two reports, and whether they differ beyond noise

The page makes no requests and needs no library. `markup` makes elements, which escape all text. `chart` draws
SVG with the colours of page.css, which has others for dark screens and for paper. page.js shows values where
one points, and zooms; the browser runs no other script on the page, and everything is said without it.

A report of systems side by side has the same page: `peers` and `peer_plots` fill it, and what is of one kind
of report only has `data-of` in page.html.
"""
