"""The named endpoints that programs call."""
