"""Shards of faces: how they are built and read."""
