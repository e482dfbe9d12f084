"""Who may do what: roles x visibility x scopes, asked over HTTP.

test/unit/token/test_rights.c has every cell; here is that the server decides
by the same tables, for each grant and each alias.
"""

import pytest

from support import tokens

# project, then what each may do there with an `api` token
TABLE = """
            anonymous eve  ext  gus  carol alice     bob
    g/priv  -         -    -    -    pull  pull,push delete,pull,push
    g/int   -         pull -    pull pull  pull,push delete,pull,push
    g/pub   pull      pull pull pull pull  pull,push delete,pull,push
    g/memb  -         -    -    -    pull  pull,push delete,pull,push
    g/off   -         -    -    -    -     -         -
    g/arch  -         -    -    -    pull  pull      pull
"""
PEOPLE, *LINES = [line.split() for line in TABLE.split("\n") if line.strip()]
CELLS = [(row[0], who, what) for row in LINES
         for who, what in zip(PEOPLE, row[1:])]


@pytest.mark.parametrize("project, who, what", CELLS)
def test_roles_and_visibility(world, project, who, what):
    auth = None if who == "anonymous" else world.basic(who, "api")
    answer = world.ask(f"repository:{project}/img:pull,push,delete", auth=auth)
    want = {} if what == "-" else {f"repository:{project}/img": what}
    assert tokens.access(answer, world) == want
    assert tokens.subject(answer) == ("" if who == "anonymous" else who)
