"""From examples to verdicts: a metric in every slice, how far its gap may be off, and what that decides."""
