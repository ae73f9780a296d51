"""Decisions. Pure: no input or output, no clock, no random number; the same world gives the same plan."""
