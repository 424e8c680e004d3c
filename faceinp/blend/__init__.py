"""Fills joined to the photo without a seam, and what lies outside of the faces."""
