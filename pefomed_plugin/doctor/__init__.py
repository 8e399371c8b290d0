"""What ``pefomed doctor`` looks at before a run: the machine, the toolkit, and every path of a configuration.

``services/data/examination.py`` looks at the samples of a data set. Nothing here writes anything.
"""
