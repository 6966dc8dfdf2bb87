"""What is tried against the site (H) and in its operation (O): the line to hold, and the tests that hold it, each by its name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """`tests` are `path::name`; `besides` what a test of every change cannot do, or what is not held."""

    tried: str
    line: str
    tests: tuple[str, ...]
    besides: str = ""


NGINX, ROUTES, LOGIN = ("tothemoon/tests/test_" + name for name in ("attacked_through_nginx.py", "attacked_routes.py", "login.py"))
NAMES, TEXTS, LOGS = ("tothemoon/tests/test_" + name for name in ("hostile_names.py", "hostile_texts.py", "logs.py"))
HEALTH, DEPLOY, KEYS = ("tothemoon/tests/test_" + name for name in ("health.py", "deploy.py", "key_canary.py"))
OTHERS, BEHIND = "tothemoon/tests/test_others_under_attack.py", "tothemoon/tests/test_nginx.py"
UNDER_ATTACK = f"{OTHERS}::test_nobody_else_waits_for_those_who_flood_and_those_who_dawdle"
CORPUS = f"{ROUTES}::test_rubbish_in_a_parameter_is_an_ordinary_answer_and_never_a_large_one"
EVERY_HEADER = f"{NGINX}::test_every_route_and_every_status_carries_every_header_once"

HELD = {
    "H01": Held(
        "Markup in names, texts and addresses",
        "≥ 100 of them on every page: the same tree as with a harmless one",
        (
            f"{NAMES}::test_no_name_changes_the_structure_of_the_list",
            f"{NAMES}::test_no_name_changes_the_structure_of_a_token_page",
            f"{TEXTS}::test_no_text_changes_the_structure_of_any_page",
        ),
    ),
    "H02": Held(
        "Headers",
        "each exactly once, on every route and status, through nginx",
        (EVERY_HEADER, f"{NGINX}::test_while_the_site_is_away_its_answer_has_the_headers_too"),
    ),
    "H03": Held(
        "Forged forms",
        "403 without the token; nothing is changed by a GET",
        (
            f"{ROUTES}::test_no_post_into_the_admin_is_taken_without_its_token",
            f"{ROUTES}::test_the_login_is_not_taken_without_its_token",
            f"{ROUTES}::test_looking_at_every_page_changes_nothing_and_every_answer_carries_what_it_should",
        ),
    ),
    "H04": Held("Frames", "DENY and frame-ancestors on every answer", (EVERY_HEADER,)),
    "H05": Held(
        "Other names of the host",
        "400 or no answer, nothing reflected",
        (
            f"{NGINX}::test_a_strange_name_gets_nothing",
            f"{NGINX}::test_a_header_that_claims_another_name_is_not_believed",
            f"{NGINX}::test_an_absolute_address_reflects_nothing",
        ),
    ),
    "H06": Held(
        "Guesses of passwords",
        "of 1,000 at most ten reach the hasher; then the right one waits, others do not",
        (
            f"{LOGIN}::test_of_a_thousand_guesses_at_most_ten_reach_the_hasher_and_then_the_right_password_waits",
            f"{LOGIN}::test_other_people_and_other_addresses_are_not_touched",
            f"{LOGIN}::test_a_name_that_does_not_exist_costs_as_much_hashing_as_one_that_does",
        ),
    ),
    "H07": Held("Addresses that strangers wrote", "0 connections to a listening canary", (), "scenario addresses_of_strangers"),
    "H08": Held(
        "Redirects to elsewhere",
        "refused, in 15 spellings and more",
        (f"{LOGIN}::test_a_login_leads_nowhere_else", f"{ROUTES}::test_no_redirect_leads_to_another_site"),
    ),
    "H09": Held(
        "Sizes, offsets, searches and orders without measure; 200 lines at once",
        "95 of 100 others within 300 ms; no answer of more than 1 MB",
        (
            UNDER_ATTACK,
            CORPUS,
            f"{ROUTES}::test_no_page_size_and_no_offset_brings_more_than_a_page",
            f"{HEALTH}::test_the_web_site_gives_up_a_question_that_takes_too_long_and_a_worker_does_not",
        ),
        "by the line itself: `./run soak --attacked 200`. **Not held:** a flood from many addresses is for the network in front",
    ),
    "H10": Held(
        "NUL, surrogates, numbers without end, doubled parameters",
        "never an error of ours",
        (CORPUS, "tothemoon/tests/test_api_fuzz.py::test_whatever_is_asked_the_answer_is_as_the_schema_says_and_never_an_error_of_ours"),
        "20,000 questions: `./run soak --fuzz 20000`",
    ),
    "H11": Held(
        "What strangers read in `/health` and `/metrics`",
        "a closed list of names; 403",
        (
            f"{HEALTH}::test_a_stranger_is_told_these_things_and_nothing_else",
            f"{NGINX}::test_strangers_are_told_nothing_by_health_and_metrics",
        ),
    ),
    "H12": Held(
        "Names that become series",
        "≤ 500 series after 100,000 tokens",
        (
            "tothemoon/tests/test_metrics.py::"
            "test_a_hundred_thousand_tokens_with_odd_names_and_every_kind_of_trouble_make_no_further_series",
        ),
    ),
    "H13": Held(
        "Line breaks and terminal codes in logs",
        "as many lines as events",
        (f"{LOGS}::test_one_event_is_one_harmless_line", f"{KEYS}::test_every_event_of_the_processes_is_one_line_of_the_log"),
    ),
    "H14": Held(
        "Keys in logs, answers, figures, rows, arguments",
        "0 hits of the canaries",
        (f"{KEYS}::test_no_key_is_in_any_log_answer_figure_row_or_argument",),
        "I11 of every scenario",
    ),
    "H15": Held(
        "Paths out of the folder, files left behind",
        "60 paths, none with 200",
        (f"{NGINX}::test_no_path_leads_out_of_the_folder_or_to_what_was_left_there",),
    ),
    "H16": Held(
        "Methods that nobody needs",
        "405 or 501 everywhere",
        (
            f"{ROUTES}::test_a_method_that_nothing_here_needs_is_refused_everywhere",
            f"{NGINX}::test_a_method_that_nothing_here_needs_is_refused_everywhere",
            f"{NGINX}::test_head_is_get_without_its_body",
        ),
    ),
    "H17": Held(
        "Requests hidden in others",
        "400, and the line closed",
        (
            f"{NGINX}::test_no_request_hides_another_one",
            f"{NGINX}::test_lines_that_end_in_lf_alone_are_one_request_to_both_servers",
        ),
    ),
    "H18": Held(
        "500 who send a byte in 10 s",
        "95 of 100 others within 500 ms; sent away after 10 s",
        (UNDER_ATTACK, f"{NGINX}::test_slow_visitors_keep_nobody_else_waiting_and_are_sent_away"),
        "by the line itself: `./run soak --attacked 200`",
    ),
    "H19": Held(
        "What the API answers",
        "strict JSON by its schema",
        (
            "tothemoon/tests/test_api_fuzz.py::test_whatever_is_asked_the_answer_is_as_the_schema_says_and_never_an_error_of_ours",
            f"{HEALTH}::test_the_answer_is_strict_json_whatever_a_heartbeat_holds",
        ),
    ),
    "H20": Held(
        "Injections into search, order and filters",
        "200 of them, the statement unchanged",
        (f"{NAMES}::test_two_hundred_injections_leave_the_statement_as_it_is",),
    ),
    "H21": Held(
        "Cells that a spreadsheet would run",
        "made harmless",
        ("tothemoon/tests/test_csv_export.py::test_text_that_a_spreadsheet_would_run_is_made_harmless",),
    ),
    "H22": Held(
        "Kept pages, sessions from before, cookies",
        "no-store; a new session; every flag",
        (
            "tothemoon/tests/test_security.py::test_admin_pages_are_never_stored",
            f"{ROUTES}::test_logging_in_makes_a_new_session_and_logging_out_ends_it",
            f"{ROUTES}::test_every_cookie_is_locked",
            f"{NGINX}::test_the_cookies_of_the_public_site_belong_to_it_alone",
        ),
    ),
    "H23": Held(
        "Scripts of other sites",
        "no CORS header on anything",
        (f"{ROUTES}::test_no_public_address_shows_itself_to_another_site", EVERY_HEADER),
    ),
    "H24": Held(
        "Whether `/health` tells the truth",
        "being alive is not being ready; told in time; never cached",
        (
            f"{HEALTH}::test_a_dead_listener_is_named_and_pages_are_still_served",
            f"{HEALTH}::test_being_alive_needs_no_database",
            f"{HEALTH}::test_a_whole_site_before_a_black_hole_answers_503_within_a_second",
        ),
        "I10 of the scenarios",
    ),
    "O01": Held("The sandbox", "exposure ≤ 1.5 for each unit", (f"{DEPLOY}::test_the_sandbox_of_each_unit_leaves_little_exposed",)),
    "O02": Held(
        "Secrets",
        "in no unit, argument or file of the repository",
        (f"{DEPLOY}::test_no_unit_holds_a_secret_itself", f"{KEYS}::test_no_key_is_in_the_repository"),
        "on a machine: `./run soak --install`",
    ),
    "O03": Held(
        "A worker that hangs",
        "started again ≤ 65 s after a SIGSTOP",
        (
            f"{DEPLOY}::test_a_worker_that_hangs_or_falls_is_started_again_however_often",
            "tothemoon/tests/test_worker.py::test_systemd_hears_ready_alive_and_stopping",
        ),
        "by the clock: `./run soak --install`; scenario stuck",
    ),
    "O04": Held("Started before its database", "waits; at work ≤ 60 s after it", (), "scenario too_early; `./run soak --install`"),
    "O05": Held(
        "Migrated while workers run",
        "0 lost, 0 pages with an error, forward and back",
        (
            "tothemoon/tests/test_upgrade.py::test_a_reload_brings_the_release_that_the_link_names_and_refuses_nobody",
            "tothemoon/tests/test_upgrade.py::test_a_migration_waits_for_a_lock_no_longer_than_the_script_says",
        ),
        "under load: `./run soak --upgrade`",
    ),
    "O06": Held(
        "Backed up, restored",
        "counts equal, ≤ 15 min",
        (
            "tothemoon/tests/test_backup.py::test_what_was_backed_up_is_there_after_the_restore",
            "tothemoon/tests/test_backup.py::test_a_damaged_backup_is_refused",
        ),
        "timed, under load: `./run soak --restore-drill N`",
    ),
    "O07": Held(
        "nginx",
        "takes the file; limits, time-outs, no answer to other names",
        (
            f"{BEHIND}::test_nginx_accepts_the_file",
            f"{BEHIND}::test_attempts_to_log_in_are_slowed_down_and_looking_at_the_form_is_not",
            f"{BEHIND}::test_another_name_gets_no_answer",
        ),
    ),
    "O08": Held(
        "What is installed",
        "every package pinned with its hash",
        ("tothemoon/tests/test_run_command.py::test_the_lock_files_hold_no_address_and_all_that_is_asked_for",),
        "`./run check`. **Not held:** no list of known holes is asked",
    ),
    "O09": Held(
        "The disk",
        "logs turned without losing a line; bounds told",
        (f"{LOGS}::test_the_file_is_turned_when_full_and_every_process_follows",),
        "a week of them: `./run soak --install`",
    ),
}


def lines() -> list[str]:
    found = ["| | What is tried | Line to hold | Held by |", "|---|---|---|---|"]
    for row, held in HELD.items():
        by_file: dict[str, list[str]] = {}
        for test in held.tests:
            path, name = test.split("::")
            by_file.setdefault(path, []).append(name)
        said = [f"`{path}`: {', '.join(names)}" for path, names in by_file.items()]
        found.append(f"| {row} | {held.tried} | {held.line} | {'; '.join([*said, held.besides] if held.besides else said)} |")
    return found
