"""The books of a bank in SQLite: see sqlite.sql."""

import contextlib
import sqlite3


class Bank:
    def __init__(self, file):
        self._file = file

    def prepare(self, id, account, amount):
        """Takes what the account gives, once. Returns the state: `aborted` where that cannot be, or was decided before."""
        with self._writing() as db:
            known = db.execute("SELECT name FROM accounts WHERE name = ?", (account,)).fetchone() or (None,)
            row = (id, "prepared", *known, amount)
            is_new = db.execute("INSERT INTO transfers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount
            if is_new:
                # No row where there is no such account, or not enough in it.
                taken = db.execute(
                    "UPDATE accounts SET balance = balance - :taken WHERE name = :account AND balance >= :taken",
                    {"account": account, "taken": max(0, -amount)},
                ).rowcount
                if not taken:
                    db.execute("UPDATE transfers SET state = 'aborted' WHERE id = ?", (id,))
            return db.execute("SELECT state FROM transfers WHERE id = ?", (id,)).fetchone()[0]

    def finish(self, id, decision):
        """Carries out what was decided, once."""
        with self._writing() as db:
            # An abort that comes before its prepare leaves a row, which stops that.
            db.execute("INSERT INTO transfers (id, state) VALUES (?, 'aborted') ON CONFLICT DO NOTHING", (id,))
            changed = db.execute(
                "UPDATE transfers SET state = ? WHERE id = ? AND state = 'prepared' RETURNING account, amount",
                (decision, id),
            ).fetchall()
            for account, amount in changed:
                # What is to be had comes with the commit; what was taken comes back with the abort.
                if (amount > 0) == (decision == "committed"):
                    db.execute("UPDATE accounts SET balance = balance + ? WHERE name = ?", (abs(amount), account))

    def prepared(self):
        """The ids of what waits for its decision."""
        with self._writing() as db:
            return [id for (id,) in db.execute("SELECT id FROM transfers WHERE state = 'prepared'")]

    @contextlib.contextmanager
    def _writing(self):
        db = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")  # no account goes that a transfer is for
            db.execute("BEGIN IMMEDIATE")  # nobody else writes until it is over
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # without a COMMIT, nothing has happened
