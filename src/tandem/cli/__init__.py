"""The command line. Each command lives in a module of its own and is loaded only when it is called."""

import importlib
import sys

import click

COMMANDS = {
    "up": "tandem.cli.stack",
    "down": "tandem.cli.stack",
    "status": "tandem.cli.stack",
    "serve": "tandem.cli.serve",
    "token": "tandem.cli.token",
    "migrate": "tandem.cli.migrate",
    "stats": "tandem.cli.stats",
    "dead-letters": "tandem.cli.dead_letters",
    "prove": "tandem.cli.prove",
    "bench": "tandem.cli.bench",
    "scale": "tandem.cli.scale",
    "compare": "tandem.cli.compare",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is asked for: `tandem down` needs no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command's object: the attribute of its module that bears its name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_")
        )
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tandem-cqrs", prog_name="tandem")
def main() -> None:
    """Users are written to PostgreSQL, served from MongoDB, and kept in step by an event flow."""


if __name__ == "__main__":
    sys.exit(main())
