"""The users on their way through this process, as recovery asks for them."""

from typing import Any

from tandem.cqrs import CreateUserQueryCommand, SetAsideUserCommand, SynchronizeUserCommand
from tandem.delivery.pending import Unreadable
from tandem.kernel import Coalescer, CommandBus
from tandem.user import StoredUser


class UsersOnTheirWay:
    """The flow of users from PostgreSQL's commit on; see `delivery.recovery.Flow`."""

    def __init__(
        self,
        commands: CommandBus,
        projection: Coalescer[CreateUserQueryCommand, Any],
        write_back: Coalescer[SynchronizeUserCommand, Any],
        set_aside: Coalescer[SetAsideUserCommand, Any],
    ) -> None:
        self._commands = commands
        self._projection = projection
        self._write_back = write_back
        self._set_aside = set_aside

    def resume(self, work: StoredUser) -> bool:
        """Bring this user to MongoDB."""
        return self._commands.dispatch(CreateUserQueryCommand(work))

    def set_aside(self, unreadable: Unreadable) -> bool:
        """Make this user a dead letter."""
        return self._commands.dispatch(
            SetAsideUserCommand(unreadable.id, unreadable.version, unreadable.error)
        )

    def room(self) -> int:
        """Half of the room is left to new users, so that a long backlog does not delay them."""
        return self._projection.coalescing.max_waiting // 2 - self._projection.waiting

    def held(self) -> list[int]:
        """The ids of all that are waiting or in a batch."""
        projected = [command.user.id for command in self._projection.held()]
        written_back = [command.user_id for command in self._write_back.held()]
        return projected + written_back + [command.user_id for command in self._set_aside.held()]
