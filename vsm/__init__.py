"""The command for storage modules: ``vsm``."""
