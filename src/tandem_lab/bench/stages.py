"""How many users have passed each stage of the flow, read from the instances' metrics."""

import asyncio
import urllib.request

import msgspec
from prometheus_client.parser import text_string_to_metric_families

# Each stage is one coalescer's work: users stored, projected and synchronized are the items of its batches.
COALESCERS = {
    "CreateUserCommand": "stored",
    "CreateUserQueryCommand": "projected",
    "SynchronizeUserCommand": "synchronized",
}
TIMEOUT_SECONDS = 5


class StageCounts(msgspec.Struct, frozen=True):
    """Totals of all instances since they began."""

    items: dict[str, int]
    batches: dict[str, int]

    @property
    def stored(self) -> int:
        """Users that PostgreSQL has committed."""
        return self.items.get("stored", 0)

    @property
    def projected(self) -> int:
        """Users that MongoDB has acknowledged."""
        return self.items.get("projected", 0)

    @property
    def synchronized(self) -> int:
        """Users whose acknowledgement PostgreSQL has recorded."""
        return self.items.get("synchronized", 0)

    def mean_batch_since(self, earlier: "StageCounts") -> dict[str, float]:
        """Users a batch of each stage, between two readings."""
        means = {}
        for stage, batches in self.batches.items():
            count = batches - earlier.batches.get(stage, 0)
            if count:
                means[stage] = round((self.items[stage] - earlier.items.get(stage, 0)) / count, 1)
        return means


async def read_stages(ports: list[int]) -> StageCounts:
    """The counts of the instances on these ports of this machine, added up; who is away counts nothing."""
    texts = await asyncio.gather(*(asyncio.to_thread(_scrape, port) for port in ports))
    items: dict[str, int] = {}
    batches: dict[str, int] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                table = {"tandem_batch_items_sum": items, "tandem_batch_items_count": batches}.get(
                    sample.name
                )
                stage = COALESCERS.get(sample.labels.get("coalescer", ""))
                if stage is not None and table is not None:
                    table[stage] = table.get(stage, 0) + int(sample.value)
    return StageCounts(items, batches)


def _scrape(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""
