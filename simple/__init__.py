"""The sample storage module, to read before writing one's own."""
