"""Scripts that call other harnesses' own scoring; each runs in a process of its own and imports nothing of ours.

``main.py`` is what is started. A driver has one function, ``run(job, tools)``.
"""
