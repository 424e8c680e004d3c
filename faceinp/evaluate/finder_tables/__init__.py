"""Tables of finders of damage, on damage that no training draws."""
