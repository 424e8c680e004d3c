"""Engines fill the hole in an aligned face crop.

``base`` is the interface of all engines; ``loading`` lists them and makes one by name; ``draw_faces`` runs an engine on
the faces of several photos. The engines are in ``landmark``, ``classical`` (with ``variation``), ``latent`` and
``foreign`` (other people's ONNX files). ``search`` is the latent search, with ``settings`` (its options),
``objectives`` (what it minimises) and ``lbfgs``.
"""
