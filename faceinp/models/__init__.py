"""The files of networks, and how they are opened.

``catalogue`` lists the trained weights, ``weights`` finds, downloads, verifies and reads their files, ``hub`` and
``hub_onnx`` exchange them with a model hub. ``runtimes`` opens a network of the package on the best runtime,
``sessions`` opens a file on onnxruntime, OpenVINO or TensorRT, ``networks`` builds the torch modules. ``sidecar``,
``onnx_metadata`` and ``input_limits`` read what exporters write about a file. ``pretrained`` loads
third-party networks for losses and metrics. ``json_values`` checks untrusted JSON; ``system`` describes the machine and
limits its threads.
"""
