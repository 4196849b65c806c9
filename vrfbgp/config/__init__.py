"""From the user's files to an `Intent`: `load` reads, `schema` checks, `resolve` decides for one node.

    files ─▶ documents ─▶ load ─▶ Objects ─▶ resolve ─▶ Intent, or Refused
              (YAML)      (schema)  (typed)    (this node)

Only `documents` touches the file system; all else is pure.
"""
