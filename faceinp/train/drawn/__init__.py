"""What lies on old prints, drawn by code: one module for each family of damage, and the canvas they share."""
