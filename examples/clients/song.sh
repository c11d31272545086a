#!/bin/sh
# Books a song from the shell with grpcurl, and prints what keeps its first gate closed.
#
#     TAPELOG_TOKEN="$(tapelog token pty-producer)" sh song.sh 127.0.0.1:7101 pty-producer Headlights
#
# A request id makes a repeated command the same command: keep it until there is an answer.
set -eu
address=${1:?"the address of the session service, such as 127.0.0.1:7101 (tapelog status)"}
party=${2:?"the party whose token TAPELOG_TOKEN is"}
title=${3:-Headlights}
: "${TAPELOG_TOKEN:?"set it to a token: tapelog token PARTY"}"
protos=$(CDPATH='' cd -- "$(dirname -- "$0")/../../protos" && pwd)

call() {
  grpcurl -plaintext \
    -import-path "$protos" \
    -proto tapelog/session/v1/session_service.proto \
    -H "authorization: Bearer $TAPELOG_TOKEN" \
    -d "$2" \
    "$address" "tapelog.session.v1.SessionService/$1"
}

# The first "name" of an answer: a resource's own.
name_of() {
  sed -n 's/^  "name": *"\([^"]*\)".*/\1/p' | head -n 1
}

request_id() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | sed 's/\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)/\1-\2-4\3-8\4-/'
}

answer=$(call CreateProject "{
  \"title\": \"$title, the single\",
  \"artistName\": \"The Testers\",
  \"members\": [{\"party\": \"$party\", \"roles\": [\"ROLE_STUDIO_PRODUCER\"]}],
  \"requestId\": \"$(request_id)\"
}")
project=$(echo "$answer" | name_of)
answer=$(call CreateSong "{
  \"parent\": \"$project\", \"title\": \"$title\", \"sampleRateHz\": 48000, \"bitDepth\": 24,
  \"requestId\": \"$(request_id)\"
}")
song=$(echo "$answer" | name_of)
echo "$song"
call EvaluateGate "{\"song\": \"$song\"}"
