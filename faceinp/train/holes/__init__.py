"""Holes for training.

``drawing`` draws those of a batch and states how often each kind occurs: ``paper_holes``, ``sketched_holes``, and
``mask_holes`` from files. ``shapes`` are what they are drawn with.
"""
