"""Does a job while it holds a lock. Python 3.9 or newer, standard library only.

    python3 lock.py NAME SECONDS
"""

import http.client
import json
import os
import random
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request

URLS = os.environ.get("QUORATE_URL", "http://127.0.0.1:8080").split(",")
HEADERS = {"Content-Type": "application/json"}
if key := os.environ.get("QUORATE_KEY"):
    HEADERS["Authorization"] = f"Bearer {key}"


class Refused(Exception):
    """The service said no: `code` is `held`, `lease_lost` and so on."""

    def __init__(self, problem):
        super().__init__(problem["detail"])
        self.code = problem["code"]


class LeaseLost(Exception):
    """The lease cannot be trusted any longer: another process may hold the lock."""


class Lock:
    """Holds a lock inside `with`, and renews it until the end. `wait` (at most 25 s) is the time to wait for it."""

    def __init__(self, name, ttl=5.0, wait=0.0):
        self._path, self._ttl, self._wait = f"/v1/locks/{name}", ttl, wait
        # Our own, so that a request whose response was lost can be repeated.
        self._lease = {"leaseId": secrets.token_urlsafe(32), "ttlMs": int(ttl * 1000)}
        self._trusted_until = 0.0
        self._done = threading.Event()

    def __enter__(self):
        give_up = time.monotonic() + self._wait + 10
        while True:
            try:
                grant = self._extend("/acquire", {"waitMs": int(self._wait * 1000)}, self._wait + 5)
                break
            except OSError:  # no instance answered, or no majority of the primaries
                if time.monotonic() > give_up:
                    raise
                time.sleep(random.uniform(0.1, 1))
        self.token = self._lease["fencingToken"] = grant["fencingToken"]
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._renewing.join()
        try:
            post(self._path + "/release", {"leaseId": self._lease["leaseId"]}, 2)
        except (OSError, Refused):
            pass  # it ends by itself

    def remaining(self):
        """How long the lease may be trusted, in seconds, unless it is renewed."""
        return self._trusted_until - time.monotonic()

    def check(self):
        """Raises LeaseLost if the lease cannot be trusted any longer. Call it before each step of the job."""
        if self.remaining() <= 0:
            raise LeaseLost(f"{self._path} may be held by another process")

    def _extend(self, action, more, timeout):
        grant, sent = post(self._path + action, {**self._lease, **more}, timeout)
        self._trusted_until = sent + (grant["waitedMs"] + grant["validForMs"]) / 1000
        return grant

    def _renew(self):
        pause = self._ttl / 3
        while not self._done.wait(pause) and self.remaining() > 0:
            try:
                self._extend("/renew", {}, self._ttl / 6)
                pause = self._ttl / 3
            except Refused:
                self._trusted_until = 0.0
            except OSError:
                pause = self._ttl / 20  # the next attempt may still come in time


def post(path, body, timeout):
    """Asks one instance after the other. Returns the response, and the time at which its request was sent."""
    failure = None
    for url in URLS:
        request = urllib.request.Request(url + path, json.dumps(body).encode(), HEADERS)
        sent = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response), sent
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise Refused(json.load(error)) from None
            failure = error
        except (OSError, http.client.HTTPException) as error:
            failure = error
    raise OSError(f"no instance did it: {failure}") from failure


def main(name, seconds):
    with Lock(name, wait=20) as lock:
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            lock.check()
            print("working, token", lock.token, flush=True)
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, LeaseLost, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
