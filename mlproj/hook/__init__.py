"""Mends inside a run's Python programs what no server can mend of MLflow's client.

`start/` is on the PYTHONPATH of a run's processes, and holds nothing but `sitecustomize`. That one loads
this package, as `_mlproj_hook`, once a program imports mlflow. All of it belongs to the program then: it
runs on every Python from 3.6 on, imports nothing of mlproj, and where it cannot work it leaves MLflow as it
is and says nothing.
"""
