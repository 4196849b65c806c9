"""Kubernetes itself, small: the manifests of config/kubernetes on nodes that are network namespaces."""
