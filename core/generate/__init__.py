"""From passages to prose: prompts, budgets, streams, mending, and the worker that runs the decoder."""
