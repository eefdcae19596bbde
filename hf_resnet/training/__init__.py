"""How a classifier learns: one file a method."""
