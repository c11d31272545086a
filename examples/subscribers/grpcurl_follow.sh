#!/bin/sh
# Follows events from the shell with grpcurl: prints what it prints, one JSON object per event or heartbeat.
#
#     TAPELOG_TOKEN="$(tapelog token pty-tool --tenant-role AUDITOR)" \
#         sh grpcurl_follow.sh 127.0.0.1:7103 'tapelog.song.stage_*' 0
#
# The third argument is the position last seen: 0 begins with the first event. The stream ends with the token, after
# fifteen minutes at most; call it again with the last position that was printed, and nothing is lost or repeated.
set -eu
address=${1:?"the address of the notify service, such as 127.0.0.1:7103"}
type=${2:-tapelog.*}
after=${3:-0}
: "${TAPELOG_TOKEN:?"set it to a token: tapelog token PARTY --tenant-role AUDITOR"}"
protos=$(CDPATH='' cd -- "$(dirname -- "$0")/../../protos" && pwd)

exec grpcurl -plaintext \
  -import-path "$protos" \
  -proto tapelog/notify/v1/notify_service.proto \
  -proto tapelog/session/v1/events.proto \
  -H "authorization: Bearer $TAPELOG_TOKEN" \
  -d "{\"filter\": {\"types\": [\"$type\"]}, \"start\": {\"afterPosition\": \"$after\"}}" \
  "$address" tapelog.notify.v1.NotifyService/Subscribe
