#!/usr/bin/env bash
# Makes this machine ready for `npm test`, which needs a Docker engine, and a redis-server for most tests (and for an
# image, where no registry can be reached). Tests that go through nginx or HAProxy, compile something for C, or compare
# with Python or systemd are skipped without these, so that they are installed as well.
#
#   npm run setup               does what is missing, and says what it did
#   npm run setup -- --browser  the same with a Chromium, which takes a minute and 400 MB
#   npm run setup -- --examples the same with what the programs in examples/ are made for: Go, Java and PostgreSQL (1 GB), and Prometheus
#   npm run setup -- --stop     stops the engine that this script started, and nothing else
set -euo pipefail

# Of this machine, not of a login: the engine belongs to whoever runs the next test, too.
state=/var/run/quorate-setup
pid_file=$state/dockerd.pid
log=$state/dockerd.log

say() { printf 'setup: %s\n' "$*"; }

engine_answers() { timeout 10 docker info >/dev/null 2>&1; }

# The engine that this script started, if it still runs. A number alone could be another process by now.
our_engine() {
  local pid
  [[ -r $pid_file ]] || return 1
  pid=$(<"$pid_file")
  [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] || return 1
  echo "$pid"
}

# Waits for the end of process $1 for $2 tenths of a second.
ended() {
  local i
  for ((i = 0; i < $2; i++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

stop() {
  local pid
  if ! pid=$(our_engine); then
    say "no engine runs that this script started; nothing was stopped"
    return
  fi
  kill "$pid"
  if ! ended "$pid" 300; then
    # Its containerd dies with it.
    kill -KILL "$pid" 2>/dev/null || true
    ended "$pid" 50 || true
  fi
  rm -f "$pid_file"
  say "stopped the Docker engine (process $pid)"
}

# Packages are installed without starting their services: redis-server would take port 6379 and nginx port 80, now and
# at every boot, and the engine is started below, on machines without an init system as well. In a subshell, so that the
# guard goes away however this ends.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  say "installing $*"
  [[ ! -e $policy ]] || mv "$policy" "$policy.quorate-setup"
  trap 'rm -f "$policy"; [[ ! -e $policy.quorate-setup ]] || mv "$policy.quorate-setup" "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  # Not by `set -e`, which is off where a caller looks at how this ends.
  apt_install "$@" || return 1
  for service in redis-server valkey-server nginx haproxy postgresql prometheus; do
    # The package has the name of its service, but for nginx.
    if [[ " $* " == *" ${service/%nginx/nginx-light} "* ]]; then update-rc.d "$service" disable >/dev/null 2>&1 || true; fi
  done
  say "installed $* (without starting their services)"
)

apt_install() {
  local output
  # The lists may be there, or not, or be older than the packages.
  if ! output=$(apt_get install "$@" 2>&1); then
    if ! { apt_get update && output=$(apt_get install "$@" 2>&1); }; then
      printf '%s\n' "$output" >&2
      return 1
    fi
  fi
}

apt_get() {
  # Bounded: a mirror that does not answer must not hold up what can be done without it.
  DEBIAN_FRONTEND=noninteractive timeout -k 10 300 apt-get -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"
}

# Starts the engine with the options $@, and succeeds once it answers.
start_engine() {
  local i pid
  # A session of its own and no terminal: it outlives this script, npm, and a Ctrl-C.
  setsid dockerd --pidfile "$pid_file" "$@" >>"$log" 2>&1 </dev/null 9>&- &
  pid=$!
  for ((i = 0; i < 300; i++)); do
    if engine_answers; then
      disown "$pid"
      return 0
    fi
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
  ended "$pid" 100 || kill -KILL "$pid" 2>/dev/null || true
  return 1
}

# What keeps an engine from starting where the kernel or a container around it offers less than it expects: the
# nftables back end, a file system under which overlays do not work, no packet filter at all. The last still
# publishes ports, by its proxy.
start_engine_somehow() {
  local way
  mkdir -p "$state/legacy"
  : >"$log"
  for program in iptables ip6tables; do
    ln -sf "$(command -v $program-legacy || command -v $program || echo /bin/false)" "$state/legacy/$program"
  done
  for way in '' 'iptables-legacy' '--storage-driver=vfs' 'iptables-legacy --storage-driver=vfs' \
    '--iptables=false --ip6tables=false' '--iptables=false --ip6tables=false --storage-driver=vfs'; do
    printf -- '--- dockerd %s\n' "$way" >>"$log"
    # shellcheck disable=SC2086 # several options in one string
    if [[ $way == iptables-legacy* ]]; then
      PATH="$state/legacy:$PATH" start_engine ${way#iptables-legacy}
    else
      start_engine $way
    fi && {
      say "started the Docker engine (process $(our_engine)${way:+, with $way}; log: $log)"
      return 0
    }
  done
  say "the Docker engine does not start; the end of $log:"
  tail -n 20 "$log"
  return 1
}

if [[ ${1:-} == --stop ]]; then
  stop
  exit
fi

can_install() { [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; }

has() { command -v "$1" >/dev/null; }

has_server() { has redis-server || has valkey-server; }

# What tests are skipped without, and the packages that have it.
wanted=('nginx nginx-light' 'haproxy haproxy' 'cc gcc libc6-dev' 'python3 python3' 'systemd-analyze systemd'
  'openssl openssl' 'curl curl' 'sqlite3 sqlite3')
for option in "$@"; do
  case $option in
    --browser) wanted+=('chromium chromium') ;;
    --examples) wanted+=('go golang-go' 'javac default-jdk-headless' 'pg_createcluster postgresql'
      'prometheus prometheus') ;;
  esac
done

# The names of what is missing of it.
lacking() {
  local program
  has_server || echo redis-server
  for program in "${wanted[@]%% *}"; do has "$program" || echo "$program"; done
}

if engine_answers && [[ -z $(lacking) ]]; then
  say "a Docker engine answers, and $(echo redis-server "${wanted[@]%% *}") are installed; nothing to do"
  exit
fi

if ! can_install; then
  if engine_answers; then
    say "a Docker engine answers. Not installed, so that tests are skipped or take longer:" $(lacking)
    exit
  fi
  say "no Docker engine answers this user, and this script can install one only as root on Debian or Ubuntu."
  say "Install and start Docker (or Podman with its Docker socket); or a redis-server, for TEST_REDIS=process npm test."
  exit 1
fi

# Two at once would start two engines; the second waits, and finds that of the first.
mkdir -p "$state"
exec 9>"$state/lock"
flock 9

has_server || install_packages redis-server || install_packages valkey-server ||
  say "no redis-server can be installed; the tests use containers only, which takes longer"
for program in "${wanted[@]}"; do
  has "${program%% *}" && continue
  # shellcheck disable=SC2086 # several packages in one string
  install_packages ${program#* } || say "${program%% *} cannot be installed; the tests that need it are skipped"
done
if engine_answers; then
  say "a Docker engine answers"
  exit
fi

missing=()
has dockerd || missing+=(docker.io)
# The engine trusts no registry without them.
[[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
# Newer releases have the client in a package of its own.
has docker || install_packages docker-cli

start_engine_somehow
