"""The server: its limits, its visitors and the files they upload."""
