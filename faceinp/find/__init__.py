"""Masks that are proposed rather than painted: damage of a photo, and what hides the faces in it.

A proposal is seen and corrected by a person, or used as it is by whoever asks for that. ``damage.py`` and
``occluders.py`` find; ``find.py`` is what ``faceinp.fill(find=...)`` and the shell use.
"""

from faceinp.find.damage import Damage, find_damage
from faceinp.find.find_option import NAMES, Find, propose
from faceinp.find.occluders import Occluders, find_occluders
from faceinp.find.proposal import Proposal

__all__ = ["NAMES", "Damage", "Find", "Occluders", "Proposal", "find_damage", "find_occluders", "propose"]
