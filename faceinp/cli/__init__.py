"""The command ``faceinp``.

``main`` is its parser, with ``arguments`` that several commands share. ``fill_commands`` and ``commands`` run the
commands, ``doctor`` is one of them, and ``terminal`` prints progress and errors.
"""
