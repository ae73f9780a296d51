"""Versions that arrive one after the other, some of them bad, while pods die: each gets the verdict it deserves."""
