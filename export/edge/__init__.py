"""The edge kit: a published TFLite model as files for firmware, with vectors that prove it on a device."""
