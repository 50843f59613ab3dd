"""The stages of a run have the same names and colours on the page, in reports, drawings and the glossary."""

import re

import pytest

from places import ROOT
from tandem_lab.report.series import STAGES

PAGE = (ROOT / "client/page/page.css").read_text()
REPORT = (ROOT / "src/tandem_lab/report/page.css").read_text()
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
DRAWING = (ROOT / "docs/images/flow.svg").read_text()


def colours(css, name):
    """What a variable is in the light and in the dark; what is printed is light."""
    return re.findall(rf"--{name}: (#\w+)", css)[:2]


@pytest.mark.parametrize(("of_page", "of_report"), [("write", "blue"), ("read", "green"), ("edge", "edge")])
def test_the_page_reports_the_drawing_and_the_glossary_have_the_same_colours(of_page, of_report):
    light, dark = colours(PAGE, of_page)
    assert colours(REPORT, of_report) == [light, dark]
    assert f"`{light}`, `{dark}`" in GLOSSARY
    assert of_page == "edge" or light in DRAWING


def test_they_have_the_same_names():
    html = (ROOT / "client/index.html").read_text()
    shown = re.findall(r"<h3>(?:<code>)?(\w+)", html[html.index('id="line"') : html.index('class="figures"')])
    report = (ROOT / "src/tandem_lab/report/page.html").read_text()
    assert shown == list(STAGES.values())
    assert re.findall(r'<b class="(\w+)">(\w+)</b>', report) == list(STAGES.items())
    assert re.findall(r"^\| (\w+) \| `(\w+)` \|", GLOSSARY, re.MULTILINE) == [
        (name, stage) for stage, name in STAGES.items()
    ]
