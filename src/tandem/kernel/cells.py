"""Several cells."""

from tandem.kernel.errors import KernelError


class OtherCell(KernelError):
    """A command came to a cell that it is not for; says which one it is for."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"This is for cell {number}.")
