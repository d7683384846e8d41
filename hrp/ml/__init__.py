"""Features, training, inference and the model registry."""
