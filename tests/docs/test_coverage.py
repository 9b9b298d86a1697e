"""Every block of configuration and code in README.md and docs/ is run by a test, or says why not."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT, Block, blocks, pages

KITCHEN = "tests/browser/tutorial.test.js::the kitchen of the FastAPI tutorial shows what is ordered"
TRAME = (
    "tests/applications/tutorial.test.js::"
    "trame's application is shown, with clients in a thread of their own and the newest frame alone"
)
NOTEBOOK = (
    "tests/applications/notebook.test.js::"
    "shows the tutorial's page, what is picked there reaches the notebook, and what is computed there the page"
)
VIEW = "tests/applications/tutorial.test.js::a view without trame turns, and its scene changes"
TILES = (
    "tests/browser/tutorial.test.js::the viewer of tiles draws the rows of its filter, and the sun follows the pointer"
)
ADMINISTRATOR = "tests/docs/test_administrator_tutorial.py::test_a_user_has_a_viewer_and_the_administrator_sees_it"
RUN_BY = {
    "README.md": {
        "bash": ["tests/docs/test_readme.py::test_the_demo_starts"],
        "python": [
            "tests/package/test_wheel.py::test_the_readmes_ten_lines_run_without_node",
        ],
        "html": ["tests/browser/readme.test.js::the README's page paints what the README's server publishes"],
    },
    "docs/README.md": {"python": ["tests/docs/test_readme.py::test_the_python_client_meets_the_server"]},
    "docs/calls.md": {
        "python": ["tests/docs/test_calls_page.py::test_the_pages_script_and_the_client_meet_the_server"] * 5,
        "js": ["tests/docs/test_calls_page.py::test_the_pages_script_and_the_client_meet_the_server"] * 3,
    },
    "docs/streams.md": {
        "python": ["tests/docs/test_streams_page.py::test_the_server_the_page_and_the_client"] * 5,
        "js": ["tests/docs/test_streams_page.py::test_the_server_the_page_and_the_client"] * 2,
    },
    "docs/frameworks.md": {
        "python": ["js/tests/interop/frameworks.test.ts::the page's React component"],
        "jsx": ["js/tests/interop/frameworks.test.ts::the page's React component"],
        "vue": ["js/tests/interop/frameworks.test.ts::the page's Vue component"],
        "json": ["js/tests/package.test.ts::can be taken for @kitware/wslink by an override"],
    },
    "docs/notebooks.md": {"python": ["tests/docs/test_notebooks_page.py::test_the_cell_shows_a_page"]},
    "docs/contract.md": {
        "python": [
            "tests/docs/test_contract_page.py::test_the_example_is_described",
            "tests/docs/test_contract_page.py::test_the_python_client",
        ],
        "ts": ["tests/docs/test_contract_page.py::test_the_typescript_client"],
        "text": ["tests/docs/test_contract_page.py::test_what_check_says"],
    },
    "docs/deployment.md": {
        "python": ["tests/deployment/test_web_servers.py::test_one_workstation"],
        "toml": [
            "tests/deployment/test_web_servers.py::test_one_workstation",
            "tests/deployment/test_slurm_recipes.py::test_sessions_on_nodes",
            "tests/deployment/test_slurm_recipes.py::TestOutward",
        ],
        "bash": [
            "tests/deployment/test_web_servers.py::test_one_workstation",
            "tests/deployment/test_slurm_recipes.py::test_sessions_on_nodes",
            "tests/deployment/test_slurm_recipes.py::TestOutward",
            "tests/deployment/test_slurm_recipes.py::TestOutward",
        ],
        "nginx": [
            "tests/deployment/test_web_servers.py::TestNginx",
            "tests/deployment/test_trame.py::test_programs_through_nginx",
            "tests/deployment/test_slurm_recipes.py::TestOutward",
            "tests/deployment/test_one_application.py::test_users_with_the_secret_come_through_a_web_server",
        ],
        "ini": ["tests/deployment/test_one_application.py::test_systemd_takes_the_unit"],
        "js": ["tests/deployment/test_trame.py::test_programs_through_nginx"],
        "apache": [
            "tests/deployment/test_web_servers.py::test_through_the_launcher",
            "tests/deployment/test_web_servers.py::TestApache",
            "tests/deployment/test_web_servers.py::test_by_a_map",
        ],
    },
    "docs/tutorials/simulation.md": {
        "python": [
            *["tests/docs/test_tutorials.py::test_the_plate_is_served_touched_and_seen"] * 3,
            "tests/docs/test_tutorials.py::test_the_tutorials_test_passes",
        ],
        "html": ["tests/browser/tutorial.test.js::the plate of the simulation is drawn, and heated by the pointer"],
    },
    "docs/tutorials/fastapi.md": {
        "python": ["tests/docs/test_tutorials.py::test_the_tutorials_test_passes"] * 5,
        "html": [KITCHEN],
        "bash": [KITCHEN] * 2,
    },
    "docs/tutorials/frontend.md": {
        "python": ["tests/browser/react.test.js::the tutorial's files are those of the example"],
        "tsx": ["tests/browser/react.test.js::the tutorial's files are those of the example"] * 2,
        "ts": ["tests/browser/react.test.js::the tutorial's files are those of the example"] * 2,
        "bash": [
            "tests/browser/react.test.js::its client is that of its server",
            "tests/browser/react.test.js::its page calls and subscribes",
            "tests/browser/react.test.js::its client is that of its server",
        ],
    },
    "docs/tutorials/vtk.md": {"python": [TRAME, VIEW, VIEW], "bash": [TRAME, TRAME, TRAME, VIEW], "html": [VIEW]},
    "docs/tutorials/notebook.md": {"python": [NOTEBOOK] * 6, "html": [NOTEBOOK]},
    "docs/tutorials/administrator.md": {
        "python": [ADMINISTRATOR],
        "html": [ADMINISTRATOR],
        "toml": [ADMINISTRATOR],
        "nginx": [ADMINISTRATOR],
        "bash": [ADMINISTRATOR] * 5,
    },
    "docs/flow-control.md": {"python": ["tests/docs/test_python_pages.py::test_the_viewer_turns_on_demand"]},
    "docs/launcher.md": {
        "bash": [
            "tests/docs/test_launcher_pages.py::test_the_commands_serve_the_example",
            "tests/docs/test_launcher_pages.py::test_the_administrator_asks_from_a_shell",
        ],
        "toml": [
            "tests/docs/test_launcher_pages.py::test_the_commands_serve_the_example",
            "tests/docs/test_launcher_pages.py::test_the_administrator_asks_from_a_shell",
            "tests/docs/test_launcher_pages.py::test_engines_are_driven_as_configured",
            "tests/docs/test_launcher_pages.py::test_engines_are_driven_as_configured",
            "tests/launcher/test_shared_state.py::test_the_documented_settings_hold",
            "tests/launcher/test_openid.py::test_the_documented_settings_are_right",
        ],
        "js": ["tests/docs/test_launcher_pages.py::test_a_page_starts_a_session"],
    },
    "docs/migration.md": {"python": ["tests/docs/test_python_pages.py::test_both_apis_in_one_server"]},
    "docs/python.md": {
        "python": [
            "tests/docs/test_python_pages.py::test_the_overview_serves",
            "tests/docs/test_python_pages.py::test_a_call_in_a_thread_is_cancelled",
            "tests/docs/test_python_pages.py::test_who_a_client_is",
            "tests/docs/test_python_pages.py::test_the_overview_connects",
            "tests/docs/test_python_pages.py::test_a_transfer_is_shown",
            "tests/docs/test_python_pages.py::test_a_room_of_tenants",
            "tests/docs/test_python_pages.py::test_an_application_is_tested_without_a_port",
        ]
    },
    "docs/recording.md": {
        "python": [
            "tests/docs/test_recording_page.py::test_a_recorder_keeps_and_writes",
            "tests/docs/test_recording_page.py::test_the_commands_and_the_test",
        ],
        "bash": ["tests/docs/test_recording_page.py::test_the_commands_and_the_test"] * 3,
    },
    "docs/relay.md": {
        "bash": [
            "tests/docs/test_relay_page.py::test_both_modes_carry",
            "tests/docs/test_relay_page.py::test_tokens_keep_others_out",
        ]
    },
    "docs/security.md": {
        "nginx": ["tests/docs/test_nginx.py::test_pages_and_links_pass"],
        "json": ["tests/browser/policy.test.js::a page works under the strict policy of the security page"],
    },
    "docs/threads.md": {
        "text": ["tests/server/test_loop_watch.py::test_the_line_that_blocks_the_event_loop_is_named"],
    },
    "docs/tools.md": {
        "bash": ["tests/docs/test_tools_page.py::test_the_commands"] * 3,
        "text": ["tests/docs/test_tools_page.py::test_what_the_doctor_says"],
    },
    "docs/tracing.md": {
        "python": ["tests/docs/test_tracing_page.py::test_the_click_is_followed_through_the_server"] * 2,
        "js": ["tests/docs/test_tracing_page.py::test_the_click_is_followed_through_the_server"],
    },
    "docs/tutorial.md": {
        "python": ["tests/docs/test_tutorial.py::test_the_tutorials_viewer"] * 4,
        "html": [TILES],
        "js": [*["tests/docs/test_tutorial.py::test_the_tutorials_viewer"] * 2, TILES],
    },
}
"""Page to language to the test of each block, in their order. Who adds a block adds its test."""


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run(page: str) -> None:
    missing = [one for one in blocks(page) if not one.not_run and not runs(one)]
    assert [(one.language, one.text.splitlines()[0]) for one in missing] == []


def runs(one: Block) -> bool:
    tests = RUN_BY.get(one.page, {}).get(one.language, [])
    return one.number < len(tests)


def test_no_test_is_named_for_a_block_that_is_gone() -> None:
    found = {(one.page, one.language): one.number + 1 for page in pages() for one in blocks(page)}
    named = {(page, language): len(tests) for page, by in RUN_BY.items() for language, tests in by.items()}
    assert {key: count for key, count in named.items() if count != found.get(key)} == {}


@pytest.mark.parametrize("name", sorted({name for by in RUN_BY.values() for tests in by.values() for name in tests}))
def test_the_tests_that_are_named_exist(name: str) -> None:
    file, _, test = name.partition("::")
    text = (ROOT / file).read_text()
    assert re.search(rf'(def|class) {re.escape(test)}\b|test\("{re.escape(test)}"', text), name


def test_a_block_without_a_test_needs_a_reason() -> None:
    reasons = [one.not_run for page in pages() for one in blocks(page) if one.not_run]
    assert [reason for reason in reasons if len(reason.split()) < 4] == []
