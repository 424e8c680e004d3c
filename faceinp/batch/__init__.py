"""Many photos: a folder, shards or tables through the road of ``faceinp.fill``, on this machine or on many."""
