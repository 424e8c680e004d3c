"""Exporters come here: ONNX and TensorRT graphs of the networks, and what checks them."""
