#!/usr/bin/env bash
# On Linux `ray.init(_node_ip_address="127.0.0.1")` (Ray 2.60.0) listens on all interfaces: Ray replaces a loopback
# address by that of the machine, and binds loopback only where the node's address is one. What does keep a cluster to
# the machine is RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, set before Ray is imported, whatever the system; then the
# argument is not needed. Seen in ray/_private/services.py (`resolve_ip_for_localhost`, `get_node_ip_address`) and
# ray/_private/ray_constants.py (ENABLE_RAY_CLUSTER). The same argument was ignored before (ray-project/ray#26293).
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs uv and a package index, and a network
# interface beside loopback.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" "ray[default]==2.60.0" psutil
cat > "$folder/ports.py" <<'CODE'
import ipaddress

import psutil
import ray

ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", _node_ip_address="127.0.0.1")
here = psutil.Process()
opened = [each.laddr.ip for process in (here, *here.children(recursive=True))
          for each in process.net_connections("inet") if each.status == "LISTEN"]
addresses = [ipaddress.ip_address(each) for each in opened]
beyond = [each for each in addresses if not (getattr(each, "ipv4_mapped", None) or each).is_loopback]
print(len(opened), len(beyond))
CODE
export HOME=$folder RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
read -r all beyond < <("$folder/env/bin/python" "$folder/ports.py")
echo "by the argument alone: $all sockets listen, $beyond of them beyond loopback"
read -r with open < <(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 "$folder/env/bin/python" "$folder/ports.py")
echo "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0: $with sockets listen, $open of them beyond loopback"
[ "$beyond" -gt 5 ] && [ "$with" -gt 5 ] && [ "$open" = 0 ]
