"""The built-in model server: one registered model behind the Open Inference Protocol."""
