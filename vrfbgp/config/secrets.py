"""Passwords of sessions: from a reference to the text, or to a reason why there is none."""

from __future__ import annotations

from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.kubernetes import Secret
from vrfbgp.config.schema.peer import SecretKeyRef

_NAMESPACES = ("calico-system", "kube-system", "default")
"""Where Calico looks for a Secret, whose reference names no namespace; ours may stand alone in another."""
_MAX_LENGTH = 80
"""TCP_MD5SIG_MAXKEYLEN (linux/tcp.h)."""


def password_of(objects: Objects, reference: SecretKeyRef) -> tuple[str | None, str]:
    """The password, or None and why there is none."""
    secret, why = _find(objects, reference.name)
    if secret is None:
        return None, why
    value = secret.model.value(reference.key)
    if value is None:
        return None, f"Secret {secret.full_name} has no key {reference.key!r} with a value in base64: add it"
    # `echo secret | base64` is how many a Secret was made, and no password ends with a line.
    text = value.decode("ascii", "replace").rstrip("\r\n")
    if not text or len(text) > _MAX_LENGTH or not (text.isascii() and text.isprintable()):
        wanted = f"1 to {_MAX_LENGTH} printable ASCII characters"
        return None, f"key {reference.key!r} of Secret {secret.full_name} is no password: it must be {wanted}"
    return text, ""


def _find(objects: Objects, name: str) -> tuple[Entry[Secret] | None, str]:
    found = {entry.namespace: entry for entry in objects.secrets if entry.name == name}
    if any(entry.broken for entry in found.values()):
        return None, f"Secret {name} was not understood: correct it"
    if not found:
        return None, f"there is no Secret {name}: add it, or correct the name"
    for namespace in _NAMESPACES:
        if namespace in found:
            return found[namespace], ""
    if len(found) > 1:
        return None, f"Secret {name} is in several namespaces, {', '.join(sorted(found))}: keep one of them"
    return next(iter(found.values())), ""
