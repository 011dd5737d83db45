"""Is each camera alive? The rule, the evidence, and the loop that applies it."""
