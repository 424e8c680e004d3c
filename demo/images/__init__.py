"""What is drawn, and what a visitor painted."""
