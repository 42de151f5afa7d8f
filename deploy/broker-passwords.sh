#!/bin/sh
# broker-passwords.sh FOLDER FILE=USER...
# Makes FOLDER/FILE with a random password unless there is one, and writes the users into FOLDER/passwords, the
# password file of Mosquitto. Users that are in it already stay.
set -eu
umask 077
if [ $# -lt 2 ]; then
    echo "usage: broker-passwords.sh FOLDER FILE=USER..." >&2
    exit 2
fi
folder=$1
shift
mkdir -p "$folder"
touch "$folder/passwords"
for pair in "$@"; do
    file=$folder/${pair%%=*}
    [ -s "$file" ] || head -c 24 /dev/urandom | base64 >"$file"
    printf '%s:%s\n' "${pair#*=}" "$(cat "$file")"
done >"$folder/passwords.new"
mosquitto_passwd -U "$folder/passwords.new"
awk -F: 'NR == FNR { named[$1] } NR == FNR || !($1 in named)' "$folder/passwords.new" "$folder/passwords" \
    >"$folder/passwords.all"
rm "$folder/passwords.new"
mv "$folder/passwords.all" "$folder/passwords"
