"""Network files: weights, where they come from, and the runtimes that open them."""
