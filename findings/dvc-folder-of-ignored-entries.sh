#!/usr/bin/env bash
# Where .gitignore has `/models/*` and takes a folder back by `!/models/kept/`, git tracks what lies in
# models/kept, and DVC 3.67.1 does not see the .dvc files there: `dvc checkout` restores nothing, `dvc status`
# finds nothing missing, and no error is told. Seen: DVC asks dulwich 1.2.21 whether the folder `models/` is
# ignored before it walks into it, and dulwich takes `/models/*` for the folder as well as for its entries;
# git does not. With the entries named one by one (`/models/*/weights`) DVC sees the file.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs python3, git, a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q dvc==3.67.1 dulwich==1.2.21
export PATH="$folder/env/bin:$PATH" DVC_NO_ANALYTICS=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
mkdir -p "$folder/repo/models/kept"
cd "$folder/repo"
git init -q
dvc init -q
echo content > models/kept/file
dvc add -q models/kept/file

restored() {  # what DVC brings back under this .gitignore
  printf '%s\n' "$@" > .gitignore
  git add -A
  git commit -qm "State"
  rm -f models/kept/file
  dvc checkout -q
  if [ -e models/kept/file ]; then echo yes; else echo no; fi
}

dvc --version
hidden=$(restored '/models/*' '!/models/kept/')
tracked=$(git ls-files models/kept/file.dvc)
seen=$(restored '/models/*/weights')
echo "with /models/* and !/models/kept/: git tracks ${tracked:-nothing}, DVC restores the file: $hidden"
echo "with /models/*/weights: DVC restores the file: $seen"
[ "$tracked" = models/kept/file.dvc ] && [ "$hidden" = no ] && [ "$seen" = yes ]
