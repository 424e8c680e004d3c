"""Many photos: a folder, shards or tables through the pipeline of ``faceinp.fill``, on this machine or on many."""
