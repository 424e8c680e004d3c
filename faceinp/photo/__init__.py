"""Photos: decoding, metadata, tone, grain, and encoding; types of arrays, and files written whole or not at all."""
