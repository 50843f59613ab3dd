"""The report of the lab: one HTML file that opens anywhere, and what differs between two reports.

    results.Report -> runs (the repeats of one load) -> metrics (numbers with a name and a unit)
                       |
                       +-> findings: the numbers of the answer, the ratios to the baselines, the warnings
                       +-> page: page.html with its empty places filled by answer, plots, scaling and tables
                       +-> compare: the same metrics of two reports, and whether they differ beyond noise

No JavaScript, no request to anywhere, no library: `markup` makes elements, which escape by construction, and
`chart` draws lines as SVG whose colours come from page.css, so that dark screens and paper have their own.
"""
