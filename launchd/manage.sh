#!/bin/sh
# Install, remove, reload or show the schedule: launchd/manage.sh install|uninstall|reload|status [options]
# The files beside this script are examples; the real ones are generated for this machine by `hrp schedule`.
set -eu

usage="usage: $0 install|uninstall|reload|status [options of 'hrp schedule', for example --dry-run]"
case "${1:-}" in
    install | uninstall | reload | status) ;;
    *) echo "$usage" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")/.." && pwd)
command="${HRP:-$here/.venv/bin/hrp}"
[ -x "$command" ] || command=hrp
exec "$command" schedule "$@"
