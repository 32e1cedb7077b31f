"""Policies: any `transformers` causal LM, and the embedded one."""
