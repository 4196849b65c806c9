# Reaches the nodes of a story in network namespaces: the runner left a script for each in $LAB_NODES.
on() { "$LAB_NODES/$1" exec "${@:2}"; }
kill_node() { "$LAB_NODES/$1" kill; }
start_node() { "$LAB_NODES/$1" start; }
