"""What pictures and landmarks go through before a network sees them."""
