"""Shards of faces: how they are built and read.

``build`` is `faceinp data build`, with ``photo_lists`` and ``photo_files`` (which photos there are) and
``photo_points`` (their landmarks). ``data`` reads shards, ``stored`` those that memory does not hold; ``backgrounds``
reads photos to draw damage on.
"""
