"""Propose masks: find the damage of a photo, and the occluders of its faces.

``damage`` and ``occluders`` are the two finders; ``network`` runs a segmentation network on a whole photo, tile by
tile; ``baseline`` finds damage by classical filters where the network is missing. ``proposal`` is the result of a
finder, which the user can correct; ``overlay`` shows it on the photo. ``find_option`` is ``find=`` of a fill.
"""

from faceinp.find.damage import Damage, find_damage
from faceinp.find.find_option import NAMES, Find, propose
from faceinp.find.occluders import Occluders, find_occluders
from faceinp.find.proposal import Proposal

__all__ = ["NAMES", "Damage", "Find", "Occluders", "Proposal", "find_damage", "find_occluders", "propose"]
