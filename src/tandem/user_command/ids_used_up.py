"""The end of ids."""

from tandem.kernel import KernelError


class IdsUsedUp(KernelError):
    """Every id below 2^53 was given to some user: none can be created any more."""

    def __init__(self) -> None:
        super().__init__(
            "All user ids are used up: PostgreSQL's sequence prm_user_id_seq is at its end. No user can be "
            "created until an operator has looked at it; see the runbook NoInstanceReady."
        )
