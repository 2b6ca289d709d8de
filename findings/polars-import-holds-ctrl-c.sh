#!/usr/bin/env bash
# `import polars` (2.1.0) puts a handler of its own under SIGINT, with SA_RESTART, which Python's has not. So Ctrl-C
# does not end a process that waits in a call which the kernel restarts (fcntl.flock, os.wait, os.read of a pipe),
# and KeyboardInterrupt did not come in the second after that call had returned either: the interrupt is lost.
# time.sleep, which the kernel never restarts, ends at once. `signal.getsignal(SIGINT)` shows nothing of it;
# `signal.siginterrupt(signal.SIGINT, True)` after the import restores what Python does.
# The flag is known there (pola-rs/polars#21739); that the interrupt does not come afterwards is not said.
# Run and seen 2026-11-30, Python 3.11, Linux. Fails where any of this has changed. Needs python3, a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q polars==2.1.0
cat > "$folder/waits.py" <<'PYTHON'
import fcntl, os, signal, sys, time

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
how, path = sys.argv[1:]
if how != "plain":
    import polars
if how == "restored":
    signal.siginterrupt(signal.SIGINT, True)
if not os.fork():  # another process has the lock for three seconds, and interrupts this one after one
    with open(path, "a+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        time.sleep(1.5)
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(1.5)
    os._exit(0)
time.sleep(0.5)
begin = time.monotonic()
try:
    if how == "sleep":
        time.sleep(2.5)
    else:
        fcntl.flock(open(path, "a+"), fcntl.LOCK_EX)
    time.sleep(1)
    print("never")
except KeyboardInterrupt:
    print(round(time.monotonic() - begin))
PYTHON
heard() { "$folder/env/bin/python" "$folder/waits.py" "$1" "$folder/lock"; }
plain=$(heard plain) polars=$(heard polars) sleep=$(heard sleep) restored=$(heard restored)
echo "a process waits for a lock that is free after 2.5 s, and is interrupted after 1; it hears of it after:"
echo "without polars $plain; with polars $polars; in time.sleep with polars $sleep; restored $restored"
[ "$plain" = 1 ] && [ "$polars" != 1 ] && [ "$sleep" = 1 ] && [ "$restored" = 1 ]
