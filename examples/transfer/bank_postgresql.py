"""The books of a bank in PostgreSQL: see postgresql.sql. By psql, so that it needs no package; a driver is quicker."""

import subprocess


class Bank:
    def __init__(self, database):
        self._psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database]

    def prepare(self, id, account, amount):
        return self._query("SELECT prepare(:'id', :'account', :'amount')", id=id, account=account, amount=amount)

    def finish(self, id, decision):
        self._query("SELECT finish(:'id', :'decision')", id=id, decision=decision)

    def prepared(self):
        return self._query("SELECT id FROM transfers WHERE state = 'prepared'").split()

    def _query(self, sql, **values):
        variables = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
        done = subprocess.run(self._psql + variables, input=sql, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()
