"""The tests, a file a theme.

Each is named after what it holds, and its docstring begins with the words of the contract
(:mod:`modules`) that say so.
"""
