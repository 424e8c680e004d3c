"""Pictures that the page draws, and masks that a visitor paints.

``pictures`` draws; ``examples`` and ``shapes`` are the photos and masks to try. ``editor`` reads the editor's value;
``painted_proposal`` is a proposed mask in it. ``result_parts`` finds the parts of a filled area; ``expression`` moves
landmarks.
"""
