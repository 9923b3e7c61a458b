"""The callers: what uses the store in real life, as pure protocols that say what to do and are told the answer."""
