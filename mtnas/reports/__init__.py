"""Reports in words: what a job's report proves, and the whole of it as Markdown.

Enters: a report as plain data, of this version or an older one. Leaves: sentences and documents.
Pages, the command line and local jobs read it; it imports nothing.
"""
