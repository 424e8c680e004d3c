"""One fill: its request, its thread and its result."""
