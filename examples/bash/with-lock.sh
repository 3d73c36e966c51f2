#!/usr/bin/env bash
# Runs a command while it holds a lock. Needs bash 5.1, curl, and Linux for /proc/uptime.
#
#   with-lock.sh NAME COMMAND [ARGUMENT...]
#
# The command is a process group of its own, and gets QUORATE_FENCING_TOKEN. When the lease is lost, the group gets
# SIGTERM, then SIGKILL, before another process can hold the lock. The exit code is that of the command, or 75: held by
# another, 69: no instance or no majority, 76: lost, 64: a mistake in the request.
set -u

urls=${QUORATE_URL:-http://127.0.0.1:8080}
lock=/v1/locks/$1
shift
ttl=5000
renew_after=1.6 # seconds: a third of that
grace=1000
# Our own, so that a request whose response was lost can be repeated.
lease=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')

# Sets `now`, in ms since boot. A wall clock jumps; this one does not, and it counts the time that a machine sleeps.
read_clock() {
  local uptime
  read -r uptime _ </proc/uptime
  now=$((10#${uptime/./} * 10))
}

# post ACTION FIELDS SECONDS: asks one instance after the other. Sets `status`, `body`, and `sent`.
post() {
  local url response
  for url in ${urls//,/ }; do
    read_clock
    sent=$now
    response=$(curl -s -m "$3" -w '\n%{http_code}' -H 'content-type: application/json' \
      -H @<(echo "${QUORATE_KEY:+authorization: Bearer $QUORATE_KEY}") \
      -d "{\"leaseId\": \"$lease\"$2}" "$url$lock/$1")
    status=${response##*$'\n'} body=${response%$'\n'*}
    [[ $status == [1-4]* && $status != 429 ]] && break
  done
  [[ $status == 200 ]]
}

# field NAME: prints that number of the body.
field() { [[ $body =~ \"$1\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

# guard TIME: ends the command by then, even if this script is paused or killed. The next guard replaces this one.
guard() {
  local previous=${guard:-}
  trusted=$1
  set -m # in a process group of its own
  (
    signal() {
      while read_clock && ((now < $2)); do
        kill -0 -- "-$job" || exit
        sleep 0.1
      done
      kill "-$1" -- "-$job"
    }
    signal TERM $((trusted - grace))
    signal KILL $((trusted - 200))
  ) 2>/dev/null &
  guard=$!
  disown # bash would report its end
  set +m
  [[ -z $previous ]] || kill -KILL -- "-$previous" 2>/dev/null
}

guard_until_end_of_lease() { guard $((sent + $(field waitedMs) + $(field validForMs))); }

for pause in 0.2 0.5 1 2 4; do
  post acquire ", \"ttlMs\": $ttl, \"waitMs\": 20000" 25 && break
  case $status in
    409) echo "$body" >&2 && exit 75 ;;
    4*) [[ $status == 429 ]] || { echo "$body" >&2 && exit 64; } ;;
  esac
  sleep "$pause"
done
[[ $status == 200 ]] || { echo "no instance answers, or no majority of the primaries: $body" >&2 && exit 69; }
token=$(field fencingToken)

set -m
QUORATE_FENCING_TOKEN=$token "$@" &
job=$!
set +m
trap 'kill -TERM -- "-$job"' TERM INT HUP
guard_until_end_of_lease

pause=$renew_after
while sleep "$pause" &>/dev/null & wait -n "$job" $! 2>/dev/null; kill -0 "$job" 2>/dev/null; do
  if post renew ", \"ttlMs\": $ttl, \"fencingToken\": $token" 1; then
    guard_until_end_of_lease
    pause=$renew_after
  elif [[ $status == 410 ]]; then
    guard $((now + grace))
    break
  else
    pause=0.2 # the next attempt may still come in time
  fi
done

wait "$job" 2>/dev/null
code=$?
read_clock
((now < trusted - grace)) || code=76
kill -KILL -- "-$guard" "-$job" 2>/dev/null # with whatever the command left behind
post release '' 2
exit "$code"
