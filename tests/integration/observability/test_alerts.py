"""The alert rules: about metrics that exist, tried on invented series, and with a runbook each."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from expressions import not_found
from places import ROOT

RULES_FILE = ROOT / "infra" / "prometheus" / "alerts.yml"
TESTS_FILE = Path(__file__).with_name("alert_tests.yml")
RULES = [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
NAMES = [rule["alert"] for rule in RULES]


def test_a_scrape_follows_the_conventions_of_prometheus(promtool, scrape):
    assert promtool("check", "metrics", given=scrape) == ""


def test_the_rules_are_well_formed(promtool):
    assert f"{len(RULES)} rules found" in promtool("check", "rules", RULES_FILE)


def test_every_alert_fires_when_it_should_and_not_before(promtool):
    assert "SUCCESS" in promtool("test", "rules", TESTS_FILE)
    tried = [
        case for test in yaml.safe_load(TESTS_FILE.read_text())["tests"] for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in tried if case["exp_alerts"]} == set(NAMES)
    assert {case["alertname"] for case in tried if not case["exp_alerts"]} == set(NAMES) - {"Watchdog"}


def test_alerts_ask_only_for_what_an_instance_tells(series):
    assert {rule["alert"]: missing for rule in RULES if (missing := not_found(rule["expr"], series))} == {}


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("sum(tandem_no_such_metric) > 0", {"tandem_no_such_metric{}"}),
        ('rate(tandem_ready{job="other"}[5m])', {'tandem_ready{job="other"}'}),
        ("sum by (instance, colour) (tandem_ready)", {"colour"}),
        ('up == 1 unless on (instance) tandem_ready{instance=~"one:.+"}', set()),
    ],
)
def test_what_an_expression_asks_for_in_vain_is_noticed(expression, missing):
    labels = {"job": "tandem", "instance": "one:3101"}
    assert not_found(expression, [("tandem_ready", labels), ("up", labels)]) == missing


def test_every_alert_names_its_runbook_and_every_runbook_has_an_alert():
    runbooks = (ROOT / "docs" / "operations.md").read_text().split("\n## Runbooks\n")[1].split("\n## ")[0]
    assert re.findall(r"^### (\w+)$", runbooks, re.MULTILINE) == NAMES
    links = [rule["annotations"]["runbook_url"] for rule in RULES]
    assert links == [f"{{{{ $externalLabels.docs }}}}/operations.md#{name.lower()}" for name in NAMES]
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning", "none"}


def test_prometheus_knows_where_the_runbooks_are(promtool):
    config = ROOT / "infra" / "prometheus" / "prometheus.yml"
    assert "SUCCESS" in promtool("check", "config", config)
    assert yaml.safe_load(config.read_text())["global"]["external_labels"]["docs"].startswith("https://")


def test_no_alert_depends_on_the_name_of_a_job():
    assert "job=" not in RULES_FILE.read_text()


def test_the_example_for_alertmanager_is_well_formed_and_names_alerts_that_exist(require_program):
    example = ROOT / "infra" / "prometheus" / "alertmanager.example.yml"
    amtool = require_program("amtool", "prometheus-alertmanager")
    checked = subprocess.run([amtool, "check-config", example], capture_output=True, text=True, check=False)
    assert "SUCCESS" in checked.stdout, checked.stdout + checked.stderr
    named = re.findall(r'alertname=~?"([^"]+)"', example.read_text())
    assert {name for names in named for name in names.split("|")} <= set(NAMES)
