"""Views of one table column: values as codes, numbers, lists, images.

Enters: an arrow column. Leaves: numpy arrays with texts. The bottom of ``data``: reads nothing else of it.
"""
