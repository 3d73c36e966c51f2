"""Ships an order, unless a newer holder of its lock has written to it.

    quorate run order-42 -- python3 ship_sqlite.py orders.db 42
"""

import os
import sqlite3
import sys


class Fenced(Exception):
    """A newer holder of the lock has written to the row, or there is no such row."""


def ship(db, order, token):
    with db:  # one transaction, rolled back when this raises
        changed = db.execute(
            """UPDATE orders SET status = 'shipped', fencing_token = :token
                WHERE id = :order AND fencing_token <= :token""",
            {"order": order, "token": token},
        ).rowcount
        if changed == 0:
            raise Fenced(f"order {order} was not changed")
        # What follows the fence in the same transaction is fenced as well.
        db.execute("INSERT INTO shipments (order_id) VALUES (?)", (order,))


if __name__ == "__main__":
    _, database, order = sys.argv
    try:
        ship(sqlite3.connect(database), int(order), int(os.environ["QUORATE_FENCING_TOKEN"]))
    except Fenced as error:
        sys.exit(str(error))
