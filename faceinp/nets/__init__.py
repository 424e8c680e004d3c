"""Pure modules, most of them torch's: no files, no globals, nothing of ours imported from outside of this folder."""
