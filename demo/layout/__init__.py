"""The controls of the page and their style.

``page_layout`` places everything; ``panel`` and the ``*_controls`` modules are its groups of controls. ``theme`` reads
the style (``page.css``) and the scripts (``scripts/``) that add keyboard, touch and screen reader support to Gradio.
"""
