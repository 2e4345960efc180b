"""Names of the devices that are no boards."""

HOST = "host"  # this machine
CHROMIUM = "chromium"  # a browser
TFLM = "tflm"  # TensorFlow Lite Micro's kernels
# They round in their own way: their verdict comes from statistics, as a file's does.
OWN_VERDICT = (CHROMIUM, TFLM)
