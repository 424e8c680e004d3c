"""Tables of judges: how well they tell people apart, what their distances mean, and what passes for a reference."""

JUDGES, NOBODY = ("bundled", "dlib"), "none"  # those that need no file; what is said for none
RATE = 0.01  # false matches: the threshold at which every table asks a judge
