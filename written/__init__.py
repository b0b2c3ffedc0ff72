"""The written problems: texts, figures, and the code that their solutions are checked with."""
