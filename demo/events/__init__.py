"""What happens when a visitor uses a control: one module for each group of controls.

``load_photo``, ``edit_mask``, ``propose_mask`` and ``choose_face`` prepare a fill, ``other_photos`` adds references.
``results`` fills and shows the result, ``refill_part`` fills one part of it again, ``move_landmarks`` changes the
expression, ``compare_engines`` is the second tab. ``requests`` is shared by them.
"""
