"""The controls of the page and their style."""
