# Reaches the nodes of a story that containerlab deployed: each is a container, clab-STORY-NODE.
on() { docker exec -i "clab-$STORY-$1" "${@:2}"; }
kill_node() { docker kill "clab-$STORY-$1" >/dev/null; }
start_node() { docker start "clab-$STORY-$1" >/dev/null; }
