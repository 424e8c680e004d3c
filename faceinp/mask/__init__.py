"""Masks (True = hole): read at the photo's size, or made by name.

``masks`` reads the mask of a photo and fits it; ``mask_pictures`` decides which part of a picture is the hole,
``strokes`` where a stroke ends, and ``erased`` takes a photo's own transparency. ``mask_files`` reads sets of masks.
``presets`` are holes by name on a face crop, with the shapes of ``sketches`` and ``worn_occluders``; ``photo_presets``
puts them on a photo.
"""
