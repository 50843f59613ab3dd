"""Packages with aggregates for processes that a test starts, as if they were installed."""

import os
from pathlib import Path

from places import ROOT


def installed(folder: Path, where: Path, name: str, points_to: str) -> dict[str, str]:
    """Say in this folder that a package in `where` is installed; the environment in which Python finds it."""
    info = folder / f"{name}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[tandem.aggregates]\n{name} = {points_to}\n")
    paths = (str(folder), str(where), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def installed_orders(folder: Path) -> dict[str, str]:
    """The same for the example `orders`."""
    return installed(folder, ROOT / "examples" / "orders", "tandem_orders", "orders:ORDERS")
