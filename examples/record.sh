#!/bin/sh
# Records examples/example.pcap anew: real TCP stacks in two network namespaces, some clients of two services. As root.
#
#   sh examples/record.sh
set -eu
cd "$(dirname "$0")"
server=migware-server client=migware-client
cleanup() {
  for name in $server $client; do ip netns del $name 2>/dev/null || true; done
}
trap cleanup EXIT
ip netns add $server
ip netns add $client
ip link add veth-server netns $server address 02:00:00:00:00:02 type veth peer name veth-client netns $client address 02:00:00:00:00:09
for end in "$server 2" "$client 9"; do
  set -- $end
  name=${1#migware-}
  ip -n "$1" link set lo up
  ip -n "$1" addr add 10.77.0.$2/24 dev veth-"$name"
  ip -n "$1" addr add fd77::$2/64 dev veth-"$name" nodad
  ip -n "$1" link set veth-"$name" up
  ip netns exec "$1" ethtool -K veth-"$name" tso off gso off gro off tx off rx off >/dev/null
done
ip netns exec $server node record.mjs serve &
served=$!
ip netns exec $server tcpdump -q -U -i veth-server -w example.pcap tcp or arp &
dump=$!
sleep 1
ip netns exec $client node record.mjs connect
sleep 0.3
kill $dump $served
wait $dump || true
node record.mjs lose example.pcap
