"""A head on a frozen backbone: features computed once and kept on disk, and the fit on them.

`features.extract` sees to the features, `fit.fit_head` fits on them; the rest serves these two.
Nothing is imported here, so that the fit and the store come without torch.
"""
