#!/usr/bin/env bash
# A driver that has started a Ray 2.60.0 of its own (`ray.init("local")`) is killed (SIGKILL): servers and workers go
# with it within seconds, but the two agents of the node, which hold ports, stay for a minute, and the session's
# folder stays for ever. RAY_enable_pipe_based_agent_to_parent_health_check=1 changes nothing of it.
# Seen in ray/_private/process_watcher.py: an agent that misses its raylet asks the dead GCS for words before it ends.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs Linux, uv and a package index; takes
# three minutes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" "ray[default]==2.60.0" psutil
cat > "$folder/driver.py" <<'CODE'
import os
import signal
import sys

import psutil
import ray

ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", _temp_dir=sys.argv[1])
print(*[each.pid for each in psutil.Process().children(recursive=True)], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
CODE
cat > "$folder/watch.py" <<'CODE'
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil

folder = Path(sys.argv[1])
found = subprocess.run([sys.executable, "driver.py", folder], stdout=subprocess.PIPE, text=True, check=False)
killed, seen = time.monotonic(), {}
processes = []
for pid in found.stdout.split():
    with contextlib.suppress(psutil.NoSuchProcess):
        processes.append(psutil.Process(int(pid)))
while processes and time.monotonic() - killed < 150:
    for each in list(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                seen[each.pid] = each.name(), time.monotonic() - killed
                continue
        processes.remove(each)
    time.sleep(0.5)
late = sorted(f"{name} {seconds:.0f} s" for name, seconds in seen.values() if seconds > 20)
left = [each.name for each in folder.glob("session_2*")]
print(f"of {len(found.stdout.split())} processes, alive after 20 s: {', '.join(late)}; session folders left: {len(left)}")
names = [each.split()[0] for each in late]
sys.exit((names, len(left)) != (["ray::DashboardAgent", "ray::RuntimeEnvAgent"], 1))
CODE
cd "$folder"
export HOME=$folder RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
export RAY_enable_pipe_based_agent_to_parent_health_check
for RAY_enable_pipe_based_agent_to_parent_health_check in 0 1; do
  "$folder/env/bin/python" watch.py "$folder/ray-$RAY_enable_pipe_based_agent_to_parent_health_check"
done
