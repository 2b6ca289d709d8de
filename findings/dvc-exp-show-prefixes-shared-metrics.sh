#!/usr/bin/env bash
# Two tables of DVC 3.67.1 want opposite names of metrics. `dvc metrics show` has one column for each name over
# all files: names that files share keep it narrow, and each name of one file's own is a column more, with a
# dash in every other row. `dvc exp show` has a column for each name of each file: one that a single file has
# stands there as it is, one that several share has its file's path before it, `reports/nail/metrics.json:skill`.
# Seen: both count a name once for every file; `--sort-by` takes a path before a name, but that a column's head
# gets one `--help` does not say.
# So of several files few numbers, and those mostly of names of their own: of nine, three such and one shared
# keep the first below 400 letters, and what the second adds for a change of one file below 120.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs python3, git, a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q dvc==3.67.1
export PATH="$folder/env/bin:$PATH" DVC_NO_ANALYTICS=1 GIT_CONFIG_GLOBAL=/dev/null COLUMNS=100000
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
mkdir "$folder/repo"
cd "$folder/repo"
git init -q
dvc init -q
echo 'metrics:' > dvc.yaml
for task in nail box; do
  mkdir -p "reports/$task"
  echo "{\"${task}_mae\": 0.5, \"skill\": 0.25}" > "reports/$task/metrics.json"
  echo "  - reports/$task/metrics.json" >> dvc.yaml
done
git add -A
git commit -qm "State"

dvc --version
names=$(dvc metrics show | head -1 | tr -s ' ')
heads=$(dvc exp show --csv | head -1)
echo "dvc metrics show: $names"
echo "dvc exp show: $heads"
[ "${names% }" = "Path box_mae nail_mae skill" ]
case ",$heads," in *,nail_mae,*) ;; *) exit 1 ;; esac
case ",$heads," in *,reports/nail/metrics.json:skill,*) ;; *) exit 1 ;; esac
case ",$heads," in *,skill,*) exit 1 ;; esac
