"""All that a command could have changed, to be compared."""

import lmdb

# How far the changes are written to the log: the server's own note.
TRAIL = (b"job", b"\0")


def rows(store):
    """{(table, key): value}"""
    env = lmdb.open(str(store), max_dbs=64, readonly=True, create=False)
    try:
        with env.begin() as txn:
            tables = {name: env.open_db(name, txn, create=False)
                      for name, _ in txn.cursor()}
            return {(name, key): value for name, table in tables.items()
                    for key, value in txn.cursor(table)}
    finally:
        env.close()


def holdings(desk):
    """Of its folder: each file, and of the store each row."""
    held = {path: path.read_bytes() for path in desk.folder.rglob("*")
            if path.is_file() and path.suffix != ".mdb"}
    held.update(rows(desk.folder / "store"))
    held.pop(TRAIL, None)
    return held
