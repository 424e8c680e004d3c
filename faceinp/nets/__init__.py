"""The networks as pure torch modules: no files, no globals, and no imports from outside this folder.

``completion``, ``landmarks``, ``segmentation``, ``embedding`` and ``dcgan`` are the package's networks,
``face_likeness`` a model of landmarks. ``efficientnet``, ``squeezenet`` and ``features`` are trained on ImageNet;
``patchgan`` and ``projected`` are discriminators. ``points`` and ``sampling`` are NumPy, for runtimes without torch.
"""
