"""`python -m itskit` is the same door as the console script `itskit`."""

import sys

from itskit.cli import main

sys.exit(main())
