"""The learner's web app."""
