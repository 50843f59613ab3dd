"""Log lines: JSON for programs, text for people. They hold no password, and above debug nothing personal.

A line may carry what it belongs to, as `extra={"seed": ..., "trace_id": ...}`.
"""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

from tandem.config.settings import LogFormat, LogLevel

#: What a line may say that it belongs to.
CORRELATION = ("seed", "trace_id")
_PASSWORD = re.compile(r"(?<=://)([^\s:@/]*):[^\s@/]*@")


def set_up_logs(app_id: str, level: LogLevel, form: LogFormat) -> None:
    """Write log lines to stderr from now on: as JSON, or as text; `auto` is text for a terminal only."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines() if as_text else JsonLines(app_id))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At debug, PyMongo logs every command that it sends.
    logging.getLogger("pymongo").setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    """What both forms have in common."""

    def message(self, record: logging.LogRecord) -> str:
        """The message, with the passwords of URLs left out."""
        return _PASSWORD.sub(r"\1:***@", record.getMessage())

    def error(self, exc_info: Any) -> str:
        """Which errors, and where in the code. Their messages may quote a user, so only debug shows them."""
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            return _PASSWORD.sub(r"\1:***@", self.formatException(exc_info))
        return "\n".join(_stack(exc_info[1]))


class TextLines(_Lines):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, what it belongs to; then the error, if there is one."""
        belongs = "".join(f" {name}={value}" for name, value in _correlation(record).items())
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {self.message(record)}{belongs}"
        return f"{line}\n{self.error(record.exc_info)}" if record.exc_info else line


class JsonLines(_Lines):
    """Lines for programs: each is a JSON object."""

    def __init__(self, app_id: str) -> None:
        super().__init__()
        self._app_id = app_id

    def format(self, record: logging.LogRecord) -> str:
        """The same as a text line says, with the instance's name."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "app_id": self._app_id,
            "message": self.message(record),
            **_correlation(record),
        }
        if record.exc_info:
            line["error"] = self.error(record.exc_info)
        return msgspec.json.encode(line).decode()


def _correlation(record: logging.LogRecord) -> dict[str, str]:
    given = ((name, getattr(record, name, None)) for name in CORRELATION)
    return {name: value for name, value in given if value}


def _stack(error: BaseException | None) -> list[str]:
    """The innermost cause first, as Python writes it, but without the errors' messages."""
    if error is None:
        return []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    places = traceback.extract_tb(error.__traceback__)
    lines = [f'  File "{place.filename}", line {place.lineno}, in {place.name}' for place in places]
    return [*_stack(cause), *lines, f"{type(error).__module__}.{type(error).__qualname__}"]
