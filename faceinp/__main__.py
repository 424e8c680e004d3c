"""``python -m faceinp`` is the command ``faceinp``."""

import sys

from faceinp.cli import main

sys.exit(main())
