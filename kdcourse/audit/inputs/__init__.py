"""What an audit is given: labels and predictions of any kind, from memory or files, and the slices of the examples."""
