"""Masks (True = hole): reading them, and presets."""
