"""Heads on frozen embeddings: fitted with scikit-learn in seconds, kept as safetensors and JSON, served with numpy.

Knows rows of numbers and class names; nothing of texts, encoders or apps.
"""
