"""Judges a candidate that has traffic: evidence in, what follows for its share out."""
