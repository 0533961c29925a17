"""Learning: rows of text in, a trained model folder out, on transformers, peft and sentence-transformers."""
