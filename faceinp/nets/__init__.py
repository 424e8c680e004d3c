"""Pure torch modules: no files, no globals, nothing of ours imported."""
