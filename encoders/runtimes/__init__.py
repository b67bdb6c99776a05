"""Running networks on ONNX Runtime or OpenVINO."""
