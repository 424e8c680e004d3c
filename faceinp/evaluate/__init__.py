"""Tables of how good the engines and networks are. Each figure comes from a command of `faceinp evaluate`."""
