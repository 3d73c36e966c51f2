"""A bank takes part in transfers. Python 3.9 or newer, standard library only.

    python3 participant.py bank-a sqlite:bank.db ID...
    python3 participant.py bank-b postgresql:bank ID...

Run it for each id that the bank is told of, such as by a queue: any number of times, and again if it was killed. It also ends
what an earlier run left prepared.
"""

import concurrent.futures
import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

URLS = os.environ.get("QUORATE_URL", "http://127.0.0.1:8080").split(",")
HEADERS = {"Content-Type": "application/json"}
if key := os.environ.get("QUORATE_KEY"):
    HEADERS["Authorization"] = f"Bearer {key}"


class Refused(Exception):
    """The service said no: `code` is `already_decided`, `not_found` and so on."""

    def __init__(self, problem):
        super().__init__(problem["detail"])
        self.code = problem["code"]


def take_part(bank, name, id):
    """Prepares, votes, waits for the decision, carries it out, and says so. Each step may be repeated."""
    path = f"/v1/transactions/{id}"
    transaction = call("GET", path)
    if transaction["decision"] is None:
        order = transaction["payload"][name]
        state = bank.prepare(id, order["account"], order["amount"])
        try:
            call("POST", f"{path}/vote", {"participant": name, "vote": "no" if state == "aborted" else "yes"})
        except Refused as refused:
            if refused.code != "already_decided":  # too late: it is aborted
                raise
    # Whoever has voted yes waits for the decision, however long that takes.
    while transaction["decision"] is None:
        transaction = call("GET", f"{path}?waitMs=20000")
    bank.finish(id, transaction["decision"])
    call("POST", f"{path}/acknowledge", {"participant": name})
    print(id, transaction["decision"], flush=True)


def call(method, path, body=None):
    """Asks one instance after the other until one answers. Each of these requests may be sent again."""
    data = None if body is None else json.dumps(body).encode()
    give_up = time.monotonic() + 60
    while True:
        for url in URLS:
            request = urllib.request.Request(url + path, data, HEADERS, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise Refused(json.load(error)) from None
                failure = error
            except (OSError, http.client.HTTPException) as error:
                failure = error
        if time.monotonic() > give_up:
            raise OSError(f"no instance did it: {failure}") from failure
        time.sleep(random.uniform(0.1, 0.5))


def bank_of(books):
    kind, _, where = books.partition(":")
    if kind == "sqlite":
        from bank_sqlite import Bank
    else:
        from bank_postgresql import Bank
    return Bank(where)


def main(name, books, *ids):
    bank = bank_of(books)
    all_ids = {*ids, *bank.prepared()}
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        for taken in [threads.submit(take_part, bank, name, id) for id in sorted(all_ids)]:
            taken.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
