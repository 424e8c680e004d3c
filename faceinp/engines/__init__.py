"""Engines: what fills a hole in an aligned face crop. One family a file, behind the contract in ``base``."""
