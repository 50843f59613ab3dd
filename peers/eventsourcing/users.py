"""The write model: each user is an aggregate, and its events are what is stored."""

import os
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict

CONNECTIONS = 20


class User(Aggregate):
    """A person. `create_id` makes its id, so a key that is given again means the same user."""

    @staticmethod
    def create_id(key: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/users/{key}")

    @event("Registered")
    def __init__(self, key: str, details: dict[str, Any]) -> None:
        self.key = key
        self.details = details


class Users(Application[UUID]):
    """Registers users."""

    def register(self, key: str, details: dict[str, Any]) -> UUID:
        """Store the user.

        Raises:
            IntegrityError: there is a user with this key.
        """
        user = User(key=key, details=details)
        self.save(user)
        return user.id


def settings() -> Mapping[str, str]:
    """How the library is told of PostgreSQL: by parts of the URL, the schema among them."""
    url = conninfo_to_dict(os.environ["POSTGRES_URL"])
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(url["dbname"]),
        "POSTGRES_HOST": str(url["host"]),
        "POSTGRES_PORT": str(url["port"]),
        "POSTGRES_USER": str(url["user"]),
        "POSTGRES_PASSWORD": str(url["password"]),
        "POSTGRES_SCHEMA": str(url["options"]).removeprefix("-csearch_path="),
        "POSTGRES_POOL_SIZE": str(CONNECTIONS),
        "POSTGRES_MAX_OVERFLOW": "0",
    }
