"""What hides a face, drawn on crops, with its mask."""
