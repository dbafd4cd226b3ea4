"""The reactor: the one place that waits. A loop over `selectors`, timers, wake-ups and signals; it knows nothing of chat."""
