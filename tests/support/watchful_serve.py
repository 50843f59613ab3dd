"""`tandem` that looks at its indexes all the time: put in front of the usual command."""

import sys

from tandem.__main__ import main
from tandem.app import background

background.SECONDS_BETWEEN_LOOKS_AT_INDEXES = 0.1

if __name__ == "__main__":
    sys.argv = ["tandem", *sys.argv[sys.argv.index("tandem") + 1 :]]
    main()
