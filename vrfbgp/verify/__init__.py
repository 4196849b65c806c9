"""`verify`: proves isolation on a live node, from what the kernel says now and what the config asks for.

`look` reads the kernel, `ground` makes of config and node what must hold; then each of `gateways`, `rules`,
`sessions`, `tables`, `nexthops`, `opinion` and `word` compares the two in one respect, without input or
output and without anything that the daemon remembers. `edge` ties them together.
"""
