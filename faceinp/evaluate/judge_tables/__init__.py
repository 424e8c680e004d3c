"""Tables of judges: how well they tell people apart, what their distances mean, and what passes for a reference."""
