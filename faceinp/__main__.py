"""``python -m faceinp`` is the command ``faceinp``."""

import sys

from faceinp.cli.main import main

sys.exit(main())
