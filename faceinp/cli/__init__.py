"""The command ``faceinp``."""
