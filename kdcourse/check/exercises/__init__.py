"""The exercises, one in each module that has no leading underscore: the `Exercise` of the module's own name."""
