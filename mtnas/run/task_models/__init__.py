"""Models of one task each that are no networks: boosted trees and linear models, fitted once per job.

In go encoded rows; out come rows of the report, and members of the ensemble. They are packs like any other, run by
``mtnas.run.packs``; scikit-learn fits them, and what it found is kept as tensors (``mtnas.ensembles``).
"""
