"""Grafana's dashboard: what it asks for exists, and it uses the data source that is provisioned."""

import json
from itertools import chain, combinations

import yaml

from expressions import not_found
from places import ROOT

GRAFANA = ROOT / "infra" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "tandem.json").read_text())
PANELS = DASHBOARD["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Panel and target to expression, with Grafana's variables filled in."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        .replace("$__rate_interval", "1m")
        .replace("$instance", ".*")
        for panel in CHARTS
        for target in panel["targets"]
    }


def test_every_expression_is_promql(promtool, tmp_path):
    records = [
        {"record": f"panel:{index}", "expr": expression}
        for index, expression in enumerate(expressions().values())
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": records}]}))
    assert f"{len(records)} rules found" in promtool("check", "rules", file)


def test_panels_ask_only_for_what_an_instance_tells(series):
    in_vain = {name: not_found(expression, series) for name, expression in expressions().items()}
    assert {name: missing for name, missing in in_vain.items() if missing} == {}


def test_panels_use_the_data_source_that_is_provisioned():
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    (known,) = [one["uid"] for one in source["datasources"]]
    used = {part["datasource"]["uid"] for part in chain(CHARTS, *(panel["targets"] for panel in CHARTS))}
    assert used == {known}


def test_every_panel_says_what_it_shows_and_none_covers_another():
    assert all(panel["title"] and panel["description"] for panel in CHARTS)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    covered = [
        (one["title"], other["title"])
        for one, other in combinations(PANELS, 2)
        if overlap(one["gridPos"], other["gridPos"])
    ]
    assert covered == []


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)
