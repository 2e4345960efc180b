"""What runs a model elsewhere: this machine, emulated boards, TensorFlow Lite Micro, a browser."""
