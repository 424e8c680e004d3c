"""Every text of the page.

``strings`` in general, ``result_text`` about results, ``part_text`` about "Redo one part", ``landmark_text`` about
landmarks.
"""
