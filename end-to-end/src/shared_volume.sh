# A GlusterFS volume of three bricks and two nodes that mount it, below /run/bed. It is process 1 of namespaces of its own: what
# it starts, mounts and makes ends with it, and it ends with its standard input. Argument: where the bricks lie.
set -euo pipefail
bricks=$1
read -r pid _ < /proc/self/stat
mount -t proc proc /proc
for private in /run /var/lib/glusterd /var/log/glusterfs; do mount -t tmpfs tmpfs "$private"; done
mkdir -p /run/gluster /run/bed/node1 /run/bed/node2 "$bricks"/1 "$bricks"/2 "$bricks"/3

# A switch, which has the bricks behind it. They take no loopback address.
ip link set lo up
ip link add switch type bridge
ip address add 10.77.0.1/24 dev switch
ip link set switch up

command -v glusterfs > /dev/null
glusterd
for ((tries = 0; ; tries++)); do
    gluster --mode=script volume info > /dev/null 2>&1 && break
    ((tries < 300))
    sleep 0.1
done
{
    gluster --mode=script volume create bed replica 3 10.77.0.1:"$bricks"/1 10.77.0.1:"$bricks"/2 10.77.0.1:"$bricks"/3 force
    # Who is cut off is noticed in seconds, by both ends; who only waits for a busy processor is not taken for that.
    gluster --mode=script volume set bed network.ping-timeout 5
    gluster --mode=script volume set bed server.tcp-user-timeout 5
    gluster --mode=script volume set bed server.keepalive-time 2
    gluster --mode=script volume set bed server.keepalive-interval 1
    gluster --mode=script volume set bed server.keepalive-count 3
    gluster --mode=script volume start bed
} > /dev/null

# The second node's clock is half a minute ahead.
ahead=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)
test -e "$ahead"
for node in 1 2; do
    ip netns add node$node
    ip link add node$node type veth peer name eth0 netns node$node
    ip link set node$node master switch up
    ip -n node$node link set lo up
    ip -n node$node address add 10.77.0.1$node/24 dev eth0
    ip -n node$node link set eth0 up
    clock=()
    ((node == 1)) || clock=(LD_PRELOAD="$ahead" FAKETIME=+30s FAKETIME_DONT_FAKE_MONOTONIC=1)
    nsenter --net=/run/netns/node$node env "${clock[@]}" \
        glusterfs --volfile-server=10.77.0.1 --volfile-id=bed /run/bed/node$node
done
echo "ready $pid $ahead"
# As process 1 it collects whoever ends meanwhile: glusterd asks for its bricks by their process ids.
read -r _ || true
