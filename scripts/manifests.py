"""Writes what kubernetes/ has from elsewhere: the alerts of infra/prometheus, and HAProxy's configurations.

python scripts/manifests.py          (`make manifests`)

Kustomize reads no file outside of its folders, so these are files of their own, and a test compares them.
"""

from collections.abc import Callable
from pathlib import Path
from string import Template
from textwrap import indent

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "kubernetes"
ALERTS = ROOT / "infra" / "prometheus" / "alerts.yml"
HAPROXY = ROOT / "src" / "tandem_stack" / "haproxy.cfg.template"
MADE = "# Made by `make manifests` from {}: change that.\n"

# As many as kubernetes/base/scaling.yaml may ask for; more would get no request.
MOST_INSTANCES = 10
# HAProxy looks names up while it runs. Looked up at its start, all places would get the first address.
BY_NAME = "init-addr none"
# The address of HAProxy's pod, whether the cluster speaks IPv4 or IPv6.
LISTEN = '"${POD_IP}:8080"'
# Clients are other pods, such as an ingress that sends the requests of many and bounds each of them itself.
CLIENT_RATE, CLIENT_CONNECTIONS = 1_000_000, 4_000


def rules() -> str:
    """The alerts as an object of the Prometheus Operator."""
    head = (
        MADE.format("infra/prometheus/alerts.yml")
        + "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: tandem\n"
        "  namespace: tandem\n  labels: {app.kubernetes.io/name: tandem}\nspec:\n"
    )
    groups = ALERTS.read_text()
    return head + indent(groups[groups.index("groups:") :], "  ")


def one_cell() -> str:
    """HAProxy's configuration for the instances of one cell."""
    name = "tandem-instances.tandem.svc.cluster.local:8080"
    words = {
        "LISTEN": LISTEN,
        "INSTANCES": f"server-template instance- {MOST_INSTANCES} {name} {BY_NAME}",
        "CLIENT_RATE": CLIENT_RATE,
        "CLIENT_CONNECTIONS": CLIENT_CONNECTIONS,
    }
    filled_in = Template(HAPROXY.read_text()).substitute(words)
    return MADE.format("src/tandem_stack/haproxy.cfg.template") + filled_in


def files() -> dict[str, str]:
    """The path in kubernetes/ to the text."""
    return {
        "components/monitoring/rules.yaml": rules(),
        "overlays/one-cell/haproxy.cfg": one_cell(),
    }


def write(show: Callable[[str], None] = print) -> None:
    """Write all of them."""
    for path, text in files().items():
        (FOLDER / path).write_text(text)
        show(f"kubernetes/{path}")


if __name__ == "__main__":
    write()
