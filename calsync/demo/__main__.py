"""``python -m calsync.demo``."""

import sys

from calsync.demo.main import main

if __name__ == "__main__":
    sys.exit(main())
