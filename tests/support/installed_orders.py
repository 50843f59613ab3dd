"""The example `orders` for processes that a test starts, as if it were installed."""

import os
from pathlib import Path

from places import ROOT

METADATA = "Metadata-Version: 2.1\nName: tandem-orders\nVersion: 0.1.0\n"
ENTRY_POINTS = "[tandem.aggregates]\norders = orders:ORDERS\n"


def installed_orders(folder: Path) -> dict[str, str]:
    """Say in this folder that it is installed; the environment in which Python finds it there."""
    info = folder / "tandem_orders-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    paths = (str(folder), str(ROOT / "examples" / "orders"), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
