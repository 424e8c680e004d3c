"""What pictures and landmarks go through before a network sees them.

``views`` draws faces from shards and changes their light, ``degradation`` lays scratches and objects over them,
``guides`` disturbs landmarks, ``augment`` is what discriminators see.
"""
