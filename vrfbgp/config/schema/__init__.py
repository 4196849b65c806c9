"""The kinds of Calico and Kubernetes that are read, as pydantic models, one module per kind or group.

Calico's spelling is the fields' alias. What is strict refuses unknown fields (`Strict`), what only passes
through from a cluster is open (`Open`). Each field says in its annotation whether it is acted on, and
whether it is of `vrfbgp.io/v1alpha1` alone (`effect`): that table is the only one there is. What it means is
said below it (`meaning`); the documents' tables (`page`) and the JSON Schema (`editor`) are made of all that.
"""
