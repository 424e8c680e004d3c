"""Helpers for all packages: files, JSON, processes, extras, deprecations."""
