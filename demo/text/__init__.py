"""Every text of the page: ``strings``, ``result_text`` about results, and ``landmark_text`` about landmarks."""
