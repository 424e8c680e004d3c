"""Batches: fills the photos of a folder, of shards or of tables, on one machine or many."""
