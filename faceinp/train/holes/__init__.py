"""Holes for training."""
