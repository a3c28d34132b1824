"""Tag, packages and changelog tell of one version, or nothing is released."""

from pathlib import Path

import pytest

from .checkouts import CHANGELOG, Checkout, releasable


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return releasable(tmp_path)


def test_a_checkout_that_is_what_its_tag_says_is_released(checkout: Checkout) -> None:
    assert checkout.step("check", "v1.2.3").returncode == 0
    checkout.git("tag", "v1.2.3")
    assert checkout.step("check", "v1.2.3").returncode == 0


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v01.2.3", "v1.2.3+linux", "v1.2.3; true", "v"])
def test_a_tag_that_is_no_version_is_refused(checkout: Checkout, tag: str) -> None:
    assert "semantic version" in checkout.refusal("check", tag)


def test_a_tag_of_another_version_is_refused_with_all_that_is_wrong(checkout: Checkout) -> None:
    said = checkout.refusal("check", "v1.2.4")
    assert said.count("says 1.2.3, not 1.2.4") == 3
    assert "the newest section of CHANGELOG.md is [1.2.3 - 2026-11-21], not [1.2.4]" in said


def test_one_package_of_another_version_is_refused(checkout: Checkout) -> None:
    checkout.write("services/two/pyproject.toml", '[project]\nname = "x"\nversion = "1.2.2"\n')
    checkout.commit()
    assert "services/two/pyproject.toml says 1.2.2" in checkout.refusal("check", "v1.2.3")


def test_changes_that_no_section_claims_are_refused(checkout: Checkout) -> None:
    checkout.write("CHANGELOG.md", CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- A hold.\n"))
    checkout.commit()
    assert "in no release" in checkout.refusal("check", "v1.2.3")


def test_a_version_of_which_nothing_is_told_is_refused(checkout: Checkout) -> None:
    told = "### Added\n\n- Holds that end by themselves.\n"
    assert told in CHANGELOG
    checkout.write("CHANGELOG.md", CHANGELOG.replace(told, ""))
    checkout.commit()
    assert "tells nothing of 1.2.3" in checkout.refusal("check", "v1.2.3")
    assert "tells nothing of 1.2.3" in checkout.refusal("notes", "1.2.3")


def test_a_section_without_a_date_is_refused(checkout: Checkout) -> None:
    checkout.write("CHANGELOG.md", CHANGELOG.replace(" - 2026-11-21", ""))
    checkout.commit()
    assert "with its date" in checkout.refusal("check", "v1.2.3")


def test_what_is_not_committed_is_not_released(checkout: Checkout) -> None:
    checkout.write("services/two/app.py", "")
    assert "not committed" in checkout.refusal("check", "v1.2.3")


def test_a_tag_on_another_commit_is_not_moved(checkout: Checkout) -> None:
    checkout.git("tag", "v1.2.3")
    checkout.write("services/two/app.py", "")
    checkout.commit()
    assert "take the next version" in checkout.refusal("check", "v1.2.3")


def test_notes_are_the_section_and_no_more(checkout: Checkout) -> None:
    assert checkout.step("notes", "1.2.3").stdout == "### Added\n\n- Holds that end by themselves.\n"
    assert checkout.step("notes", "1.2.2").stdout == "- The first.\n"
    assert "tells nothing of 1.2" in checkout.refusal("notes", "1.2")


def test_a_prepared_version_can_be_released(checkout: Checkout) -> None:
    changelog = CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- A hold.\n")
    checkout.write("CHANGELOG.md", changelog)
    assert checkout.step("prepare", "1.3.0").returncode == 0
    checkout.commit()
    assert checkout.step("check", "v1.3.0").returncode == 0
    assert checkout.step("notes", "1.3.0").stdout == "- A hold.\n"


def test_what_was_prepared_once_is_not_prepared_again(checkout: Checkout) -> None:
    assert "nothing that is not released" in checkout.refusal("prepare", "1.3.0")
    checkout.write("CHANGELOG.md", CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- A hold.\n"))
    assert "tells of 1.2.3 already" in checkout.refusal("prepare", "1.2.3")
    assert "semantic version" in checkout.refusal("prepare", "v1.3")
