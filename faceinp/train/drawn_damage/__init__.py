"""Damage of old prints, drawn on photos, with the class of each pixel."""
