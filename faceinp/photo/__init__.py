"""Photos: read from a file as pixels and metadata, and written as a file again.

``photos`` reads, ``saving`` writes. ``decoding``, with EXIF's rotation, and ``encoding`` know the picture formats;
``formats`` lists them, ``truncated_jpeg`` repairs JPEGs that lack their end, ``pages`` keeps the other pages of a TIFF.
``metadata`` is what is kept beside the pixels, in the forms of ``exif``, ``xmp`` and ``tiff``; ``provenance`` states in
the file that a part was generated. ``tone`` and ``grain`` measure what a fill must match. ``arrays`` has types and
conversions of arrays; ``staging`` writes files that appear complete or not at all.
"""
