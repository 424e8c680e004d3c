"""Masks (True = hole): how they are read, and masks made by name."""
