"""Writes what kubernetes/ has from elsewhere: the alerts of infra/prometheus, and HAProxy's configurations.

python scripts/manifests.py          (`make manifests`)

Kustomize reads no file outside of its folders, so these are files of their own, and a test compares them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from string import Template
from textwrap import indent

from tandem_stack.haproxy import CellInstances, configuration, slots_map

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "kubernetes"
# The cells of overlays/cells.
CELLS = (0, 1)
# Where the pods of HAProxy have its configuration.
MOUNTED = Path("/usr/local/etc/haproxy")
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


def cells() -> str:
    """The same for instances of several cells.

    What is made for addresses that are known has one server for each, and says that it is up where the one of
    the same name in another backend is. Of names that lead to many pods each backend has servers of its own,
    and asks them itself.
    """
    instances = [CellInstances(number=number, addresses=[f"cell-{number}"]) for number in CELLS]
    made = configuration(LISTEN, instances, MOUNTED / "slots.map")
    asked = dict(re.findall(r"^backend (\w+) from .*\n    option httpchk GET (\S+)$", made, re.MULTILINE))
    lines: list[str] = []
    for line in made.splitlines():
        server = re.fullmatch(r"    server (\S+) \S+(?: no-check track (\w+)/\S+)?( backup)?", line)
        if server is None:
            lines.append(line)
            continue
        cell, tracked, backup = server.groups(default="")
        if tracked and not lines[-1].startswith("    server-template"):
            lines.append(f"    option httpchk GET {asked[tracked]}")
        name = f"tandem-instances-{cell}.tandem.svc.cluster.local:8080"
        lines.append(f"    server-template {cell}- {MOST_INSTANCES} {name} {BY_NAME}{backup}")
    return MADE.format("src/tandem_stack/haproxy.py") + "\n".join(lines) + "\n"


def files() -> dict[str, str]:
    """The path in kubernetes/ to the text."""
    return {
        "components/monitoring/rules.yaml": rules(),
        "overlays/one-cell/haproxy.cfg": one_cell(),
        "overlays/cells/haproxy.cfg": cells(),
        # As docs/deploy.md has it: cell 0 was there before.
        "overlays/cells/slots.map": slots_map([CELLS[: slot % 2 + 1] for slot in range(1024)]),
    }


def write(show: Callable[[str], None] = print) -> None:
    """Write all of them."""
    for path, text in files().items():
        (FOLDER / path).write_text(text)
        show(f"kubernetes/{path}")


if __name__ == "__main__":
    write()
