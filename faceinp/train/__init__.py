"""Training of the package's networks.

``loop`` is the one training loop, with ``settings`` (recipes and settings files), ``schedules``, ``checkpoints``,
``journal`` (log and previews) and ``graphs`` (CUDA graphs); ``pack`` makes weights of a run. The trainings are
``completion`` (with ``completion_settings``, ``completion_losses``, ``opponents`` and ``naturalness``), ``landmarks``,
``dcgan``, ``embedding``, and ``find_damage`` and ``find_occluders`` on ``segmentation``; ``limits`` and
``face_likeness`` measure networks once they are trained. The folders make the training pictures: ``datasets`` reads the
faces, ``holes``, ``drawn_damage`` and ``drawn_occluders`` hide parts of them, ``augmentation`` changes them.
"""
