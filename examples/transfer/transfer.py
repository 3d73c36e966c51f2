"""Moves money from an account of one bank to an account of another. Prints the id, of which both banks are then told.

    python3 transfer.py bank-a alice bank-b bob 10
"""

import sys

from participant import call


def main(giver, its_account, taker, their_account, amount):
    payload = {
        giver: {"account": its_account, "amount": -int(amount)},
        taker: {"account": their_account, "amount": int(amount)},
    }
    # If the answer is lost, nobody hears of the transaction, and it is aborted at its deadline.
    transaction = call(
        "POST", "/v1/transactions", {"participants": [giver, taker], "deadlineMs": 30_000, "payload": payload}
    )
    print(transaction["id"])


if __name__ == "__main__":
    main(*sys.argv[1:])
