"""Blend a fill with the photo without a seam, and fill what lies outside the faces.

``surroundings`` is the pipeline's step: it fills the hole from generated faces and, elsewhere, from its surroundings.
``patches`` continues texture by PatchMatch. ``layers`` mixes several pictures in one frame; ``blending`` joins a frame
to the photo (composite or Poisson) and transfers fine detail from other pictures.
"""
