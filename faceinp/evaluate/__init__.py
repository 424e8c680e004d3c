"""Tables of how good the engines and networks are. Each figure comes from a command of `faceinp evaluate`.

``engine_tables`` measures engines on holes, ``judge_tables`` judges of identity, ``finder_tables`` finders of damage.
``folders`` compares pictures of any program, with ``folder_measures`` and ``folder_report``; ``landmarks`` and
``frechet`` measure the landmark predictor and the DCGAN. ``naturalness`` and ``measures`` (means with intervals) are
shared by tables; ``record`` and ``html`` write them.
"""
