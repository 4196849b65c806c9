"""Which packets netfilter gives another source address as they leave: its nat rules, walked."""
