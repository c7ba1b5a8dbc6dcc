"""Numbers read off traces: pure functions on tensors and records, no figures.

* :mod:`similarity`, :mod:`collapse`: cosines within, across and between runs.
* :mod:`geometry`: CKA, ranks, lengths, variance shares; :mod:`neighbours`: who is near whom.
* :mod:`projection`: PCA, UMAP and t-SNE maps; :mod:`map_quality`: how far to believe them.
* :mod:`lens`, :mod:`attention`: what a slot says and where it looks.
* :mod:`outcome`, :mod:`divergence`: what an edit did to the answer.
* :mod:`influence`: which step weighs on which, and how early the answer is there.
* :mod:`statistics`, :mod:`resampling`, :mod:`multiplicity`: intervals, tests, many tests.

Everything that is undefined (no items, no variance, a vector without length) is NaN, never 0.
"""
