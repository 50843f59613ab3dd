"""What kustomize makes of an overlay, and what its network policies let through."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from places import ROOT

FOLDER = ROOT / "kubernetes"
Object = dict[str, Any]


def kubectl() -> Path:
    """The program, from its wheel."""
    return Path(sys.executable).with_name("kubectl")


class Built:
    """The objects of a folder of kubernetes/, as `kubectl apply -k` would send them."""

    def __init__(self, folder: Path) -> None:
        command = [kubectl(), "kustomize", folder]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        assert made.stderr == "", "no warning about what is deprecated"
        self.text = made.stdout
        self.objects: list[Object] = list(yaml.safe_load_all(made.stdout))

    @classmethod
    def with_components(cls, overlay: str, *components: str, place: Path) -> "Built":
        """An overlay with more components, in a copy of the whole folder in `place`."""
        copy = shutil.copytree(FOLDER, place / "kubernetes")
        file = copy / "overlays" / overlay / "kustomization.yaml"
        content = yaml.safe_load(file.read_text())
        content["components"] = [
            *content.get("components", []),
            *(f"../../components/{name}" for name in components),
        ]
        file.write_text(yaml.safe_dump(content))
        return cls(file.parent)

    def of(self, kind: str, component: str | None = None) -> list[Object]:
        """All objects of this kind; of this `app.kubernetes.io/component`."""
        return [
            each
            for each in self.objects
            if each["kind"] == kind and component in (None, labels(each).get("app.kubernetes.io/component"))
        ]

    @cached_property
    def workloads(self) -> list[Object]:
        """All that makes pods."""
        return [*self.of("Deployment"), *self.of("Job")]


def labels(each: Object) -> dict[str, str]:
    return each["metadata"].get("labels", {})


def pod(workload: Object) -> Object:
    """The template of its pods."""
    return workload["spec"]["template"]


def settings(built: Built, workload: Object) -> dict[str, str]:
    """What its pods have in their environment, as far as the objects say it."""
    maps = {each["metadata"]["name"]: each["data"] for each in built.of("ConfigMap")}
    (container,) = pod(workload)["spec"]["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    for each in container.get("env", []):
        if "value" in each:
            found[each["name"]] = each["value"]
        elif reference := each["valueFrom"].get("configMapKeyRef"):
            data = maps[reference["name"]]
            if reference["key"] in data:
                found[each["name"]] = data[reference["key"]]
    return found


def secrets(workload: Object) -> dict[str, Object]:
    """The secrets that its pods mount, by their names."""
    volumes = pod(workload)["spec"]["volumes"]
    return {volume["secret"]["secretName"]: volume["secret"] for volume in volumes if "secret" in volume}


def selects(selector: Object, found: dict[str, str]) -> bool:
    """Whether this label selector finds somebody with these labels."""
    for each in selector.get("matchExpressions", []):
        assert each["operator"] == "In"
        if found.get(each["key"]) not in each["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= found.items()


class Somebody:
    """A pod for network policies: its labels, and those of its namespace."""

    def __init__(self, namespace: str, pod: dict[str, str], **of_namespace: str) -> None:
        self.namespace = namespace
        self.pod = pod
        self.of_namespace = {"kubernetes.io/metadata.name": namespace} | of_namespace


def may_connect(policies: list[Object], here: Somebody, there: Somebody, port: int) -> bool:
    """Whether these policies let a connection out of the one pod, and into the other."""
    return _passes(policies, "Egress", here, there, port) and _passes(policies, "Ingress", there, here, port)


def _passes(policies: list[Object], way: str, one: Somebody, other: Somebody, port: int) -> bool:
    selecting = [
        each["spec"]
        for each in policies
        if each["metadata"]["namespace"] == one.namespace
        and way in each["spec"]["policyTypes"]
        and selects(each["spec"]["podSelector"], one.pod)
    ]
    # A pod that no policy is for is open.
    return not selecting or any(
        _in_ports(rule, port) and _in_peers(rule, way, one, other)
        for spec in selecting
        for rule in spec.get(way.lower(), [])
    )


def _in_ports(rule: Object, port: int) -> bool:
    ports = rule.get("ports", [{"protocol": "TCP", "port": port}])
    return {"protocol": "TCP", "port": port} in ports


def _in_peers(rule: Object, way: str, one: Somebody, other: Somebody) -> bool:
    peers = rule.get("from" if way == "Ingress" else "to")
    return peers is None or any(_is(peer, one, other) for peer in peers)


def _is(peer: Object, one: Somebody, other: Somebody) -> bool:
    namespace = peer.get("namespaceSelector")
    is_there = selects(namespace, other.of_namespace) if namespace else one.namespace == other.namespace
    return is_there and selects(peer.get("podSelector", {}), other.pod)


def references(built: Built) -> Iterator[tuple[str, str]]:
    """Kind and name of every object that another one names, and that has to be among them."""
    for workload in built.workloads:
        spec = pod(workload)["spec"]
        yield "ServiceAccount", spec["serviceAccountName"]
        for source in spec["containers"][0].get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]
        for volume in spec["volumes"]:
            # The keys of tokens are no secret of ours, and somebody else's object.
            if volume.get("configMap", {}).get("name", "tandem-token-keys") != "tandem-token-keys":
                yield "ConfigMap", volume["configMap"]["name"]
    for scaler in built.of("HorizontalPodAutoscaler"):
        yield "Deployment", scaler["spec"]["scaleTargetRef"]["name"]
