# `PORT=8080 sh nginx.sh PROGRAM FOLDER`: nginx by nginx.conf, with its files in FOLDER.
set -eu
mkdir -p "$2"
sed "s/PORT/$PORT/" nginx.conf > "$2/$PORT.conf"
exec "$1" -e stderr -p "$2" -c "$2/$PORT.conf"
