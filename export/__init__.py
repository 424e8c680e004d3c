"""Exporters come here: ONNX, LiteRT and TensorRT graphs of the networks, and what checks them."""
