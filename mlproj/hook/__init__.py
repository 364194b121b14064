"""Mends inside a run's Python programs what no server can mend of MLflow's client, and notes what they open.

`start/` is on the PYTHONPATH of a run's processes, and holds `sitecustomize` with what notes the files, which
it takes along from Python 3.8 on. It loads this package, as `_mlproj_hook`, once a program imports mlflow.
All of it belongs to the program then: it runs on every Python from 3.6 on, imports nothing of mlproj, and
where it cannot work it leaves the program as it is and says nothing.
"""
