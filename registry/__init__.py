"""Customers: the separate, minimised registry. Its own database, opened by billing and by nobody else.

It knows customers, delivery points, contracts and installations, and of readings only the registers written
on an exchange form. Identity codes lie in a table of their own. The four files come in through `doors` (one
row each), `rules` (the whole state) and `import_files` (one transaction); `queries` gives billing what it
needs, without a name in it.
"""
