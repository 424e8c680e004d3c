"""Tables of engines on holes: one pipeline from faces in shards to cells of a table, and reports of these."""
