"""Photos: files that become pixels, what a file says beside them, and the way back into a file."""
