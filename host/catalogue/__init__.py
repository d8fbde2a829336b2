"""The catalogue: the host's database of names, of the data that they point to, and of who may do what."""
