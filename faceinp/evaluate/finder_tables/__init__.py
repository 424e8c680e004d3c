"""Tables of damage finders, on drawn damage that no training run uses."""
