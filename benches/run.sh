#!/usr/bin/env bash
# Measures everything anew and puts the tables into docs/PERFORMANCE.md, between the markers that name the scripts.
#   ./run.sh                    all of it, about 15 minutes when built
#   ./run.sh limits sending     only these
# Needs valgrind, and a machine that does little else meanwhile.
set -euo pipefail
cd "$(dirname "$0")"
page=../docs/PERFORMANCE.md
table=$(mktemp)
trap 'rm -f "$table"' EXIT

# put NAME COMMAND..: what the command prints, and when and where, between `<!-- NAME -->` and `<!-- /NAME -->`.
put() {
    local name=$1
    shift
    echo "== $name" >&2
    "$@" >"$table"
    printf '\n%s\n' "$(machine)" >>"$table"
    python3 - "$page" "$name" "$table" <<'EOF'
import pathlib, sys
page, name, table = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]).read_text()
before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
_, end, after = rest.partition(f"<!-- /{name} -->\n")
if not (begin and end):
    sys.exit(f"{page} has no place for {name}")
page.write_text(before + begin + "\n" + table.strip() + "\n\n" + end + after)
EOF
}

machine() {
    local model
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    echo "*$(date -u +%F) at $(git rev-parse --short HEAD): $(nproc) virtual cores shared with other work," \
        "${model:-processor unknown}, $(uname -s), $(rustc --version | cut -d' ' -f1,2).*"
}

[ $# -gt 0 ] || set -- instructions times sending starting compile_time limits
for name in "$@"; do
    case $name in
    instructions) put instructions ./instructions.py --peers ;;
    times) put times ./times.py --rounds "${ROUNDS:-5}" ;;
    sending | starting | compile_time | limits) put "$name" "./$name.py" ;;
    *) echo "there is no table $name" >&2 && exit 1 ;;
    esac
done
