#!/bin/sh
# `taskwire` of the image. Taskwire runs as the user `node`; a container that begins as root gives that user a DATA_DIR
# that is root's, as a fresh bind mount is, and is root no more. With `docker run --user` nothing of this happens.
set -eu
if [ "$(id -u)" = 0 ]; then
  if [ -d "$DATA_DIR" ] && [ "$(stat -c %u "$DATA_DIR")" = 0 ]; then
    chown node:node "$DATA_DIR"
  fi
  export HOME=/home/node
  exec setpriv --reuid=node --regid=node --init-groups --no-new-privs "$0" "$@"
fi
exec node /app/dist/src/cli/taskwire.js "$@"
