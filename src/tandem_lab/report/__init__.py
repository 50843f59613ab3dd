"""The report of the lab: one HTML file that opens anywhere, and what differs between two reports.

    results.Report -> runs (all loads, each with its repeats) -> metrics (numbers with a name and a unit)
                       |
                       +-> analysis: the ratios to the baselines, the limits, the warnings
                       +-> thresholds: the numbers that a threshold can name
                       +-> page: page.html, filled by answer, plots, scaling and tables
                       +-> compare: the same metrics of two reports, and whether they differ beyond noise

The page has no JavaScript, makes no requests and needs no library. `markup` makes elements, which escape all
text. `chart` draws SVG with the colours of page.css, which has others for dark screens and for paper.
"""
