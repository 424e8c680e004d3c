"""Photos: decoding, metadata, tone, grain, and encoding."""
