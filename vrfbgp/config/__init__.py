"""From the user's files to an `Intent`: `load` reads, `schema` checks, `resolve` decides for one node.

    files ─▶ documents ─▶ load ─▶ Objects ─▶ resolve ─▶ Intent, or Refused
              (YAML)      (schema)  (typed)    (this node)

`understand` is all of it in one step, `apart` that step in a process of its own, and `source` what becomes of
the answers. Only `documents` reads files; what leads from them to an `Intent` is pure.
"""
