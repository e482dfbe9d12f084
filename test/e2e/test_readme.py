"""README and the example configuration say what the program says."""

import os
import re
import subprocess

import pytest
import yaml

from conformance.matrix import CLIENTS, COLUMNS, REGISTRIES
from conformance.operations import OPERATIONS
from conformance.report import Cell, Report, Suite
from support import secrets
from support.dockpass import ENV, PROGRAM, STORE_MEND, TOP

README = (TOP / "README.md").read_text()


def dockpass(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True,
                          check=True, timeout=20, env=ENV).stdout


def section(title):
    """The text under a heading, up to the next one of its level or above."""
    level, _, rest = README.partition(f"# {title}\n")
    assert rest, f"README has no section '{title}'"
    hashes = 1 + len(level) - len(level.rstrip("#"))
    return re.split(rf"\n#{{1,{hashes}}} ", rest)[0]


def test_table_of_options_is_the_programs():
    assert dockpass("check", "--table").strip() in section("Configuration"), \
        "README lacks rows of: dockpass check --table"


def test_a_damaged_store_is_mended_as_the_program_says():
    assert STORE_MEND in " ".join(section("Backup").replace("`", "").split())
    assert STORE_MEND in " ".join(dockpass("store", "check", "--help").split())


def test_commands_are_those_of_help():
    listed = re.findall(r"^  ([a-z][a-z -]*[a-z])  ", dockpass("--help"), re.M)
    usages = [dockpass(*words.split(), "--help").splitlines()[0]
              .removesuffix(" [--config FILE]").removesuffix(" [--json]")
              for words in listed]
    block = re.search(r"```\n(.*?)```", section("Command line"), re.S)[1]
    assert len(listed) > 20
    assert ["usage: " + line for line in block.splitlines()] == usages


def test_scopes_and_roles_in_help_are_the_tables():
    """The same words for what they may; every role and scope has a line."""
    told = dockpass("token", "create", "--help")
    table = re.findall(r"^\| (`(?:read|write|api|\w+).*`) \| (.*) \|$",
                       section("Who may do what"), re.M)
    assert len(table) == 5
    for names, may in table:
        names, may = names.replace("`", ""), may.replace(" and ", ", ")
        assert re.search(rf"^  {names}\s+{may}$", told, re.M), names
    roles = re.search(r"Roles: ([a-z, ]+)\.", README)[1].split(", ")
    for text in told, dockpass("member", "add", "--help"):
        block = text.split("\nRoles")[1]
        assert re.findall(r"\b(" + "|".join(roles) + r")\b", block) == roles


def test_reasons_are_those_of_the_header():
    source = (TOP / "store/reason.h").read_text()
    rows = re.findall(r'^\tX\([A-Z_]+, [A-Z]+, "([a-z_]+)",\s*"([^"]*)"\)',
                      source, re.M)
    assert len(rows) == source.count("\tX(")
    table = [f"| `{code}` | {text} |" for code, text in rows]
    assert [line for line in section("Reason codes").splitlines()
            if line.startswith("| `")] == table


def test_events_are_those_of_the_source():
    said = set()
    for file in TOP.glob("server/**/*.c"):
        for pattern in (r'LEVEL_\w+,\s*"(\w+)"',
                        r'(?:text|json)_head\([^;"]*"(\w+)"',
                        r'say\((?:w->)?arg,\s*"(\w+)"'):
            said.update(re.findall(pattern, file.read_text()))
    told = re.findall(r"^\| (`.*?) \|", section("Events"), re.M)
    assert len(said) > 10
    assert {name for cell in told
            for name in re.findall(r"`(\w+)`", cell)} == said


def test_settings_are_those_of_the_program(tmp_path):
    config = tmp_path / "made/dockpass.yaml"
    dockpass("init", str(tmp_path / "made"))
    head, *lines = dockpass("settings", "list", "--config",
                            str(config)).splitlines()
    at = [head.index(word) for word in ("NAME", "VALUE", "SET", "MEANING")]
    rows = [[line[begin:end].strip() for begin, end in
             zip(at, at[1:] + [None])] for line in lines]
    assert [row[2] for row in rows] == ["-"] * len(rows)
    assert [f"| `{name}` | `{value}` | {meaning} |"
            for name, value, _, meaning in rows] == \
        re.findall(r"^\| `.*", section("Settings"), re.M)


def tables(text):
    """[[[cell]]] of each."""
    return [[[cell.strip() for cell in line.strip("|\n").split("|")]
             for line in table.splitlines()]
            for table in re.findall(r"(?:^\|.*\n)+", text, re.M)]


def printed():
    """The tables of a report in which all has passed."""
    cells = [Cell(client, column, operation.name,
                  "pass" if operation.of(kind) else "-", "", 0)
             for client, kind in CLIENTS.items() for column in COLUMNS
             for operation in OPERATIONS
             if operation.where == "all" or not column.look]
    here = dict.fromkeys([*CLIENTS, *REGISTRIES], "") | {
        name: name for name in REGISTRIES if name[0].isdigit()}
    return tables(Report(cells, [Suite(name, "pass", "", {}, {})
                                 for name in REGISTRIES], here).summary(0))


def test_conformance_is_what_the_report_prints():
    """All of its rows and columns, but for versions and what came of them."""
    told, want = tables(section("Conformance") + "\n"), printed()
    assert list(map(len, told)) == list(map(len, want))
    assert "**" not in str(told)  # nothing has failed
    for got, made in zip(told, want):
        assert all(map(str.startswith, got[0], made[0])), got[0]
        for row, other in zip(got, made):
            assert len(row) == len(other) and row[0].startswith(other[0]), row
    for got, made in zip(told[1], want[1]):
        assert [text == "-" for text in got] == [text == "-" for text in made]


def test_conformance_counts_what_its_cells_say():
    """Those have passed of which no operation says otherwise."""
    (by_registry, by_operation, *_), (full, *_) = \
        tables(section("Conformance") + "\n"), printed()
    for i, (row, other) in enumerate(zip(by_registry[2:], full[2:]), 1):
        for registry, text, every in zip(REGISTRIES, row[1:], other[1:]):
            count = int(every.split()[0])
            odd = sum(operation[i] in ("cannot", "not run") or
                      registry in re.findall(r"[\w.]+", operation[i])
                      for operation in by_operation[2:])
            assert text in ("not run", f"{count - odd} of {count}"), row


def paths(value, at=""):
    """The keys of a configuration as the table of options writes them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{at}[]")
    else:
        yield at


def example(text):
    """Comments that are YAML are options, too."""
    return re.sub(r"^( {0,9})# ?( *(?:- )?[a-z_]+:(?: \S+)? *(?:#.*)?)$", r"\1\2", text,
                  flags=re.M)


def check_defaults(text):
    """What a configuration says is what holds without it."""
    values = dict(re.findall(r"^\| `([^`]+)` \| [^|]* \| `([^`]+)` \|",
                             dockpass("check", "--table"), re.M))
    said = yaml.safe_load(text)
    for path, want in values.items():
        got = said
        for key in path.replace("[]", ".0").split("."):
            got = got[int(key) if key.isdigit() else key]
        assert str(got).lower() == want.lower(), path


def test_example_configuration_is_what_init_writes(tmp_path):
    """But for its folders."""
    dockpass("init", str(tmp_path / "made"))
    want = re.sub(r"^(store|keys|public): (\w+) *",
                  lambda row: f"{row[1]}: /var/lib/dockpass/{row[2]}".ljust(40),
                  (tmp_path / "made/dockpass.yaml").read_text(), flags=re.M)
    (TOP / "build/dockpass.yaml").write_text(want)
    assert (TOP / "docker/dockpass.yaml").read_text() == want, \
        "run: cp build/dockpass.yaml docker/"


def test_init_writes_every_option_with_its_default(tmp_path):
    dockpass("init", str(tmp_path / "made"))
    text = (tmp_path / "made/dockpass.yaml").read_text()
    check_defaults(text)
    listed = set(re.findall(r"^\| `([^`]+)` \|", dockpass("check", "--table"),
                            re.M))
    assert set(paths(yaml.safe_load(example(text)))) == listed


def test_example_configuration_is_taken(tmp_path):
    dockpass("init", str(tmp_path / "made"))
    text = (TOP / "docker/dockpass.yaml").read_text()
    config = tmp_path / "dockpass.yaml"
    config.write_text(text.replace("/var/lib/dockpass", str(tmp_path / "made")))
    assert dockpass("check", "--config", str(config)).endswith("ok\n")


def test_registry_example_is_what_registry_config_prints(tmp_path):
    dockpass("init", str(tmp_path / "made"))
    printed = yaml.safe_load(dockpass(
        "registry-config", "--bundle", "/dockpass/public/bundle.pem",
        "--config", str(tmp_path / "made/dockpass.yaml")))
    text = (TOP / "docker/registry.yml").read_text()
    assert yaml.safe_load(text)["auth"] == printed["auth"]


def test_setting_up_as_it_stands(tmp_path):
    """The lines from the folder to a token, in a shell that knows nothing: in
    a container, under cron, USER is not set."""
    lines = section("Setting up").lstrip("\n").split("\n\n")[0].splitlines()
    steps = "\n".join(lines[1:-1]).replace("/srv/dockpass", f"{tmp_path}/it")
    steps = re.sub(r"--expires \S+", "--expires 30d", steps)
    done = subprocess.run(
        ["sh", "-euc", f'sudo() {{ "$@"; }}\ndockpass() {{ {PROGRAM} "$@"; }}\n'
         + steps], capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": ENV["PATH"]})
    secret = re.search(r"^glpat-\S+$", done.stdout, re.M)
    assert done.returncode == 0 and secret, done.stderr
    secrets.remember(secret[0])
    assert (tmp_path / "it").stat().st_uid == os.geteuid()


def test_files_that_readme_names_are_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    names = re.findall(r"`((?:server|store|token|test|docker)/[\w/.]+)`", README)
    assert links and names
    for name in links + names:
        if "NAME" not in name:
            assert (TOP / name).exists(), name


def targets():
    text = re.findall(r"^    make ([a-z][a-z -]*?)(?: *#.*)?$", README, re.M)
    return sorted({word for line in text for word in line.split()})


@pytest.mark.parametrize("target", targets())
def test_targets_that_readme_names_are_there(target):
    done = subprocess.run(["make", "-n", target], cwd=TOP, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_compose_shows_the_registry_nothing_but_what_is_public():
    compose = yaml.safe_load((TOP / "docker/compose.yaml").read_text())
    own, other = (compose["services"][name] for name in
                  ("dockpass", "registry"))
    folders = dict(mount.split(":")[:2] for mount in own["volumes"])
    assert folders == {"dockpass": "/data", "public": "/data/public"}
    shared = [mount for mount in other["volumes"]
              if mount.split(":")[0] in folders]
    assert shared == ["public:/dockpass/public:ro"]


def test_the_contents_are_whole():
    contents, rest = README.split("\n## ", 1)
    headings = re.findall(r"^(?:##|###) (.+)$", "## " + rest, re.M)
    assert len(headings) > 20
    assert re.findall(r"\[(.*?)\]\(#", contents) == headings
