"""How a classifier learns: a head on a frozen network (`head`), or the network itself (`network`)."""
