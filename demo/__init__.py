"""The web page that restores photos: ``faceinp demo``."""

import os

# Gradio reads this when it is imported, so it stands before any import of it.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
