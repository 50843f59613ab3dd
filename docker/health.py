"""Ask the instance in this container whether it can take a command; the exit code is 0 if it can."""

import os
import sys
from http.client import HTTPConnection

TIMEOUT_SECONDS = 4


def is_ready() -> bool:
    """Whether `/health/ready` answers 200."""
    connection = HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
