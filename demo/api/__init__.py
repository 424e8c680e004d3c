"""The endpoints for programs.

``endpoints`` defines them; ``terms`` puts messages of the library into their terms.
"""
