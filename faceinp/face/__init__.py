"""Find the faces of a photo, cut out an aligned crop of each, and predict its landmarks.

``cascade`` is the detector (MTCNN) for upright faces; ``turns`` runs it at any turn and scores each turn of a head;
``heads`` decides the turn and the five points of one head; ``detection`` searches a whole photo, under a hole, too.
``face_location`` is the user's choice of a face: by number, box or points. ``faces`` is the geometry of one face: its
alignment, yaw, crop, and the way back to the photo. ``targets`` lists the faces that a mask touches;
``landmark_predictor`` gives the 68 landmarks of a crop.
"""
