"""What helps to test an aggregate of your own, in milliseconds and without a server.

* `scenario` says what has happened, what is asked for, and what follows: for `decide` and `evolve`.
* `in_memory` runs aggregates beside users, with the flow and the reactions that serve in production.

This is the whole interface: what is named here stays as the changelog says, and all else may change.
"""

from tandem.testing.scenario import Decision, Scenario, scenario
from tandem.testing.system import Answer, MemorySystem, in_memory

__all__ = ["Answer", "Decision", "MemorySystem", "Scenario", "in_memory", "scenario"]
