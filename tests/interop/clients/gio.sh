#!/usr/bin/env bash
# gio, with a session bus and a gvfs of its own. Arguments: port, login, key file, what to do, with what.
set -euo pipefail
port=$1 login=$2 key=$3 act=$4 one=$5 other=$6

if [ -z "${WITH_A_BUS:-}" ]; then
    # gvfs runs `ssh` and takes no options for it.
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    mkdir -m 700 "$home/run" "$home/bin"
    cat >"$home/bin/ssh" <<EOF
#!/bin/sh
exec $(command -v ssh) -F /dev/null -oIdentityFile='$key' -oIdentitiesOnly=yes \
    -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null "\$@"
EOF
    chmod +x "$home/bin/ssh"
    export WITH_A_BUS=yes HOME=$home XDG_RUNTIME_DIR=$home/run PATH=$home/bin:$PATH GVFS_DISABLE_FUSE=1
    dbus-run-session -- bash "$0" "$@"
    exit
fi

url() { printf 'sftp://%s@127.0.0.1:%s%s' "$login" "$port" "${1// /%20}"; }
trap 'gio mount --unmount "$(url /)" || true' EXIT
gio mount "$(url /)" </dev/null

case $act in
    list) gio list "$(url "$one")" ;;
    stat) gio info "$(url "$one")" ;;
    get) gio copy "$(url "$one")" "$other" ;;
    folder) gio list "$(url "$one")" | while IFS= read -r name; do
        gio copy "$(url "$one/$name")" "$other/$name" </dev/null
    done ;;
    # It fetches anew.
    resume) gio copy "$(url "$one")" "$other" ;;
    put) gio copy "$one" "$(url "$other")" ;;
    rename | replace) gio move "$(url "$one")" "$(url "$other")" ;;
    remove) gio remove "$(url "$one")" ;;
    fetch-remove) gio copy "$(url "$one")" fetched.xml && gio remove "$(url "$one")" ;;
    fetch-rename) gio copy "$(url "$one")" fetched.xml && gio move "$(url "$one")" "$(url "$other")" ;;
esac
