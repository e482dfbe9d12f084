"""What went wrong elsewhere, row by row, and the test of each that it does not
go wrong here. Each is there, and pytest or cmocka runs it.

A row: what happened, then tests or the reason why it cannot happen. A test is
`file::name` of this folder (its `test_` left out; of one with parameters
`name[beginning of an id`), or `unit/...` and a name of cmocka's.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.dockpass import PROGRAM, TOP

NO_API = "nothing is made or changed over HTTP; commands act for who is root " \
    "or the owner of the store"
NO_FOREIGN = "no token of another issuer is taken, and no key set fetched"

ADVISORIES = {
    # Of registries and their token servers
    "CVE-2025-68944": ("the scopes of a token were dropped", [
        "protocol_negative::scopes_bind_on_every_way[CVE-2025-68944-read_re"]),
    "CVE-2025-68941": ("scopes were checked in some places alone", [
        "protocol_negative::scopes_bind_on_every_way[GHSA-vvc3-GHSA-5f2q",
        "unit/token/test_rights.c::every_cell_with_every_scope"]),
    "CVE-2026-27771": ("private images were pulled anonymously", [
        "protocol_negative::without_credentials[CVE-2026-27771-g/priv"]),
    "artifact-keeper#3316 #2290 #2420": ("lost its list of repositories", [
        "protocol_token_limits::repositories_on_every_way[POST-refresh",
        "protocol_negative::a_place_s_token_reaches_that_place_alone"]),
    "artifact-keeper#3408": ("a write-only token could pull", [
        "protocol_negative::push_only_cannot_pull[artifact-keeper#3408"]),
    "artifact-keeper#2477": ("a refresh token was good once", [
        "protocol_negative::artifact_keeper_2477_refresh_is_reusable_until"]),
    "AK GHSA-qxxr": ("refresh and rotation were not atomic", [
        "protocol_live::AK_GHSA_qxxr_no_refresh_token_outlives_a_revocation",
        "protocol_rotate::AK_GHSA_qxxr_of_many_rotations_one_wins"]),
    "AK GHSA-vvc3 GHSA-5f2q": ("an administrator's token had no scopes", [
        "protocol_negative::scopes_bind_on_every_way[GHSA-vvc3-GHSA-5f2q"]),
    "Quay federation": ("the audience was not checked", NO_FOREIGN),
    "CVE-2026-44428": ("one audience for all; a jti twice", [
        "protocol_negative::CVE_2026_44428_a_token_names_one_audience",
        "protocol_persons::no_JWT_lets_anybody_in",
        "protocol_turns::each_token_has_its_own_jti"]),
    "GHSA-2v5f-5r6w-p67r": ("open when the issuer failed", NO_FOREIGN),
    "octo-sts": ("`a|b` was not anchored", [
        "unit/token/test_limits.c::what_fits",
        "protocol_names::whose_repository_is_that"]),
    "CVE-2025-24976": ("a key came with the token", [
        "protocol_persons::no_JWT_lets_anybody_in",
        "protocol_operator::CVE_2024_25189_CVE_2026_44699_no_JWT_is_ever_r"]),
    "CVE-2026-44699": ("RSA keys verified HS256", [
        "protocol_persons::no_JWT_lets_anybody_in",
        "protocol_operator::CVE_2024_25189_CVE_2026_44699_no_JWT_is_ever_r"]),
    "CVE-2024-25189": ("HMACs were compared by strcmp", [
        "protocol_operator::CVE_2024_25189_CVE_2026_44699_no_JWT_is_ever_r",
        "advisories::CVE_2024_25189_digests_are_compared_in_constant_ti"]),
    "CVE-2022-31667 CVE-2022-31669 CVE-2022-31670": (
        "another's object by its id", ["unit/store/test_actor.c::who_may"]),
    "GHSA-hw28-333w-qxp3": ("a lower role reached the configuration", [
        "unit/store/test_actor.c::who_may",
        "protocol_admin::what_the_admin_listener_has"]),
    "CVE-2019-16097": ("a field made one an administrator", NO_API),
    "CVE-2025-30086": ("a filter told digests", [
        "protocol_operator::CVE_2025_30086_no_listing_holds_a_digest"]),
    "CVE-2020-29662": ("the catalog for anybody", [
        "protocol_negative::CVE_2020_29662_the_catalog_is_for_administrat",
        "protocol_negative::CVE_2020_29662_other_paths_are_nothing"]),
    "CVE-2023-20902": ("how long it took told who is known", [
        "protocol_timing::CVE_2023_20902_tokens",
        "protocol_timing::CVE_2023_20902_passwords",
        "protocol_timing::CVE_2023_20902_medians"]),
    "harbor#21224": ("failures froze a user", [
        "protocol_guard::harbor_21224_failures_lock_nobody_out"]),
    "harbor#15110": ("the expired logged in", [
        "protocol_negative::harbor_15110_the_dead_do_not_log_in"]),
    "Harbor creator.go": ("more was given than asked", [
        "protocol_negative::no_action_beyond_what_was_asked[Harbor-creator"]),
    "CVE-2025-23208": ("who left a group kept its rights", [
        "protocol_live::the_next_request_knows[CVE-2025-23208-of-the-group",
        "protocol_live::a_kept_connection_sees_each_change"]),
    "zot create-only": ("a tag's name gave a right", [
        "protocol_negative::no_action_beyond_what_was_asked[zot-create-onl"]),
    "CVE-2025-48374": ("secrets in logs", [
        "protocol_operator::CVE_2025_48374_nothing_that_runs_shows_a_secret",
        "protocol_log::no_place_is_wrong_enough_for_a_secret",
        "protocol_secrets::what_was_said_is_searched"]),
    "CVE-2024-9683": ("a part of a password was enough", [
        "protocol_persons::CVE_2024_9683_a_NUL_ends_no_secret",
        "protocol_persons::an_altered_secret_is_another",
        "protocol_persons::a_long_password_counts_in_full"]),
    "CVE-2026-32589": ("another tenant's object by its id", [
        "protocol_negative::CVE_2026_32589_refresh_token_of_another_servic",
        "protocol_refresh::it_is_bound_to_its_service"]),
    "CVE-2023-1555": ("who was banned kept his access", [
        "protocol_live::the_next_request_knows[CVE-2023-1555-blocked",
        "protocol_settings::g162_an_owner_and_his_refresh_tokens"]),
    "CVE-2020-15157 artifact-keeper#3591": ("secrets for another's realm", [
        "protocol_negative::the_realm_is_that_of_the_configuration",
        "protocol_negative::CVE_2020_15157_never_a_redirect"]),
    "CVE-2023-45821": ("a name that ends alike was taken for it", [
        "protocol_negative::CVE_2023_45821_a_service_is_its_whole_name"]),
    "CVE-2023-2253": ("a large number took all memory", [
        "protocol_load::much_is_refused_at_once",
        "protocol_limits::floods_cost_no_memory",
        "protocol_crowd::ten_seconds_are_enough"]),
    "token-server": ("many refresh tokens at once were its end", [
        "protocol_load::token_server_64_clients_at_once",
        "protocol_store::64_refresh_tokens_at_once"]),
    "Portus": ("sub was what the client said", [
        "protocol_negative::Portus_account_is_no_subject"]),
    "pulp, Keycloak": ("local time labelled Z", [
        "protocol_operator::pulp_Keycloak_times_are_UTC"]),
    "pulp": ("a bad scope voided all; an id of hex", [
        "protocol_negative::scopes_beside_each_other[pulp-bad-and-good",
        "protocol_operator::docker_auth_D8_pulp_each_key_has_its_own_id"]),
    "Quay v2auth": ("500 for `*`, 400 for two scopes", [
        "protocol_negative::scopes_beside_each_other[Quay-v2auth-star-unkn",
        "protocol_negative::scopes_beside_each_other[Quay-v2auth-one-value"]),
    # docker_auth
    "docker_auth D1": ("an unknown key opened all doors", [
        "protocol_operator::a_mistake_does_not_start[docker_auth-D1"]),
    "docker_auth D2": ("without a password any would do", [
        "protocol_operator::a_mistake_does_not_start[docker_auth-D2",
        "cli_secrets::what_is_no_password_changes_none"]),
    "docker_auth D3": ("a rule without a condition: its end",
                       "there are no rules to write"),
    "docker_auth D4": ("a name was a pattern", [
        "protocol_operator::docker_auth_D4_no_name_is_a_pattern"]),
    "docker_auth D5": ("a pattern was not anchored", [
        "unit/token/test_limits.c::what_fits"]),
    "docker_auth D6": ("`*` and `evil` were signed", [
        "protocol_negative::no_action_beyond_what_was_asked[docker_auth-D6"]),
    "docker_auth D7": ("plain HTTP in place of TLS", [
        "protocol_operator::docker_auth_D7_TLS_is_TLS"]),
    "docker_auth D8": ("one id for all EC keys", [
        "protocol_operator::docker_auth_D8_pulp_each_key_has_its_own_id",
        "unit/token/test_keyring.c::ids_by_known_vectors",
        "unit/token/test_keygen.c::fresh_keys"]),
    "docker_auth D9": ("anybody said from where he comes", [
        "protocol_negative::docker_auth_D9_forwarded_addresses_are_not_bel",
        "protocol_proxy::headers"]),
    "docker_auth D10": ("a reload dropped requests, or ended it", [
        "protocol_negative::docker_auth_D10_a_reload_drops_no_connection",
        "protocol_reload::a_hundred_reloads_under_load",
        "protocol_reload::bad_ones_change_nothing_and_are_said",
        "protocol_tls::a_new_certificate_is_for_new_connections"]),
    "docker_auth D11": ("MongoDB's rules had no order",
                        "there is no other store"),
    "docker_auth D12": ("its login page", "there is none"),
    "docker_auth D13": ("an option was ignored", [
        "config_check::a_variable_is_over_the_file_and_the_default"]),
    "docker_auth D14": ("labels on standard output", [
        "protocol_log::only_token_requests_have_a_line"]),
    "docker_auth D15": ("no expires_in", [
        "protocol_negative::docker_auth_D15_what_an_answer_holds"]),
    "docker_auth D16": ("a client was told why the back end failed", [
        "protocol_store::docker_auth_D16_a_damaged_record_is_an_error"]),
    "docker_auth #381 #382": ("what came with 70 libraries", [
        "advisories::docker_auth_381_382_which_libraries"]),
    # LMDB
    "LMDB map full": ("while a token rotates", [
        "protocol_full::a_store_that_is_full",
        "protocol_full::a_map_that_is_used_up",
        "unit/store/test_change.c::a_full_store"]),
    "LMDB reader slots": ("held by the dead", [
        "protocol_faults::dead_readers_hold_nothing",
        "unit/store/test_db.c::reader_slots"]),
    "LMDB power cut": ("between token and index", [
        "protocol_faults::kill_9_under_writing_load",
        "unit/server/test_calls.c::a_store"]),
    "LMDB snapshot": ("of yesterday, with what was revoked since", [
        "protocol_backup::what_was_revoked_since_stays_revoked",
        "protocol_backup::after_a_loss_of_the_store",
        "unit/store/test_backup.c::what_was_taken_away_stays_so"]),
    "LMDB modes": ("a store that all can read", [
        "protocol_store::LMDB_wrong_mode_is_refused"]),
}


def wanted():
    """(row, file, name) of each test that the table names."""
    for row, (_, tests) in ADVISORIES.items():
        for test in tests if isinstance(tests, list) else ():
            yield row, *test.split("::", 1)


@pytest.fixture(scope="module")
def collected():
    """`file::name[id]` of all that pytest would run of these files."""
    files = sorted({f"test/e2e/test_{file}.py" for _, file, _ in wanted()
                    if not file.startswith("unit/")})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *files],
        cwd=TOP, capture_output=True, text=True, check=False, timeout=300)
    assert not done.returncode, done.stdout + done.stderr
    return re.findall(r"^test/e2e/test_(\w+)\.py::test_(.*)$", done.stdout,
                      re.M)


@pytest.mark.parametrize("row, file, name", [
    row for row in wanted() if not row[1].startswith("unit/")],
    ids=lambda text: text)
def test_it_is_run(collected, row, file, name):
    assert any(there.startswith(name) for where, there in collected
               if where == file), row


@pytest.mark.parametrize("row, file, name", [
    row for row in wanted() if row[1].startswith("unit/")],
    ids=lambda text: text)
def test_cmocka_runs_it(row, file, name):
    text = (TOP / "test" / file).read_text()
    assert re.search(rf"\b(cmocka_unit_test|CALLS)\(\s*{name}\s*\)", text), row


def test_each_row_has_a_test_or_a_reason():
    for row, (what, tests) in ADVISORIES.items():
        assert what and tests, row


def test_docker_auth_381_382_which_libraries():
    """Those that the program says it needs; no other is loaded by it."""
    said = subprocess.run(["readelf", "-d", PROGRAM], capture_output=True,
                          text=True, check=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(\w+?)[-.\d]*\.so", said))
    assert needed and needed - {"libasan", "libubsan", "libtsan"} <= {
        "libc", "libcrypt", "libcrypto", "libcurl", "libcyaml", "libevent",
        "libevent_openssl", "libevent_pthreads", "libjansson", "libjwt",
        "liblmdb", "libseccomp", "libssl", "libyaml"}
    assert b"dlopen" not in Path(PROGRAM).read_bytes()


def test_CVE_2024_25189_digests_are_compared_in_constant_time():
    """And a secret is known by nothing but its digest (the linter looks)."""
    for file in [*TOP.glob("token/*.c"), *TOP.glob("store/*.c"),
                 *TOP.glob("server/**/*.c")]:
        for call in re.findall(r"\w*memcmp\([^;]*DIGEST_LEN",
                               file.read_text()):
            assert call.startswith("CRYPTO_memcmp("), (file, call)
    assert "CRYPTO_memcmp(a->at, b->at, DIGEST_LEN)" in \
        (TOP / "token/secret.c").read_text()
