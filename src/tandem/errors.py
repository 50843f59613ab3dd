"""The root of all errors of the service."""


class TandemError(Exception):
    """Something went wrong that a person, or the code that called, can act on.

    The message says what happened and what to do about it. `cli/__init__.py` prints it, and `app/problems.py`
    makes HTTP answers of it. Others translate an error only where the message gains context.

        TandemError
        ├── KernelError            kernel/errors.py
        │   ├── Overloaded         too much is waiting; nothing was done: try again in a moment
        │   ├── Unavailable        a server does not answer now; whether it did the work may be unknown
        │   │   └── NoStandby      postgres/standby.py: commits are not on a second host, and have to be
        │   ├── UnsuitableServer   a server cannot be used as it is: somebody has to change it
        │   ├── UnknownShape       mongodb/generations.py: a later program has made documents of this shape
        │   ├── NoHandler          a command that no handler is registered for
        │   ├── SilentCells        kernel/cells.py: cells do not answer whose answer is needed
        │   ├── UnknownCell        kernel/cells.py: somebody has named a cell that there is not
        │   ├── OtherCell          kernel/cells.py: a command came to another cell than the one it is for
        │   ├── MissingIndex       mongodb/indexes.py: MongoDB lacks an index: `tandem migrate` makes it
        │   └── IdsUsedUp          user_command/ids_used_up.py: no user can be created any more
        ├── Rejection              delivery/rejections.py: a command that cannot be carried out
        │   ├── Unknown            there is no such user, or other aggregate
        │   ├── Gone               it was deleted
        │   └── OtherVersion       it has another version than the command expects
        ├── Draining               delivery/placement.py: a cell that takes nothing new any more
        ├── Overtaken              delivery/contest.py: it was changed meanwhile: decide again
        ├── InvalidField           user/wire.py: a field of a user that cannot be kept; names it
        ├── InvalidKey             delivery/idempotency.py: an Idempotency-Key that cannot be used
        ├── KeyReused              delivery/idempotency.py: a key that was used for another command
        ├── StillOpen              delivery/idempotency.py: another transaction is in the way: try again
        ├── UnreadableAggregate    aggregates/messages.py: somebody has changed an aggregate's rows by hand
        ├── UnusableAggregate      aggregates/installed.py: a package names an aggregate that cannot be used
        ├── UnreadableUser         user_command/rows.py: somebody has changed a user's rows by hand
        ├── ArchiveError           user_command/archive.py: events cannot be moved into files, or read there
        ├── ArchiveAway            user_command/archived_events.py: events are in a file that is not here
        ├── DocumentChanged        mongodb/documents.py: not the document any more that was to be replaced
        ├── RebuildError           projections/row.py: `tandem rebuild` cannot go on; says what to do
        ├── CursorLost             feed/errors.py: PostgreSQL was brought back to before this cursor
        ├── EventsArchived         feed/errors.py: events after this cursor of the feed are in files
        ├── UnknownKind            feed/errors.py: the feed was asked for a kind that there is not
        ├── KindNotServed          feed/errors.py: this instance does not know a kind that the database has
        ├── SettingsError          config/settings.py: an environment variable is missing or cannot be used
        ├── ListenError            http/sockets.py: the server cannot listen on this address
        ├── KeyFileError           http/token_keys.py: a file holds no key that can be used
        ├── TokenError             http/tokens.py: an access token is not valid
        ├── ProblemError           http/problems.py: an error that is an HTTP answer already
        │   └── NoSuchPathError    http/routes.py: nothing has this path
        ├── NoAnswer               cli/http.py: a command cannot ask a running instance
        ├── CannotMake             cli/new.py: a project for an aggregate cannot be made like this
        └── MissingExtra           cli/__init__.py: a command needs a package that is not installed
    """
