"""The life of a TrainingJob: attempts, gate, registering, and what is left to do after its end."""
