"""Answers MLflow's scoring protocol for one model, in that model's own Python.

It is started as a program by its folder (`python .../mlproj/scoring serve --model ...`), in an environment
that knows nothing of mlproj: it runs on every Python from 3.7 on, imports nothing but the standard library
until it loads the model, and nothing of mlproj at all.
"""
