"""What happens when a visitor uses a control."""
