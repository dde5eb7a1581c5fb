"""Ray Tune as what spreads packs over a cluster: a Tune trial is a pack; chosen by ``resources.driver: tune``."""
