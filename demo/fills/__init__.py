"""One fill.

``filling`` checks its request, runs it and writes its result; ``jobs`` runs it in a thread and in a queue; ``history``
keeps the sources of all pixels over several fills; ``naturalness`` says how natural an engine's fills look.
"""
