"""Tables of engines on holes: one pipeline from faces in shards to cells of a table, and reports of these.

``tables`` are the tables as data, ``request`` is what the user asks for, ``run`` measures it. ``plan`` turns tables
into cases, on the faces of ``subjects``, with the engines of ``variants``; ``fills`` makes and stores their fills,
``figures`` measures these, and ``scores`` averages the figures into ``cells``. ``report`` writes the cells as Markdown,
``sheets`` contact sheets and the HTML page, ``thumbnails`` the pictures of masks.
"""
