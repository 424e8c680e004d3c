"""Faces: where they are in a photo, the crop that engines see, and their landmarks."""
