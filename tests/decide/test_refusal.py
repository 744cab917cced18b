"""The message of a refusal: the fault, the containers found, and the words to type."""

from dataclasses import replace

import pytest
from test_selection import (
    ANY,
    API,
    BESIDE,
    DB,
    GONE,
    IN_NESTED,
    IN_SHOP,
    IN_SHOP2,
    NESTED,
    NOWHERE,
    OTHER,
    SHOP,
    SHOP2,
    WEB,
    bare,
    gone,
    one_off,
    refusal,
    service,
)

from rind.decide.refusal import label_note, likely_names, no_such_container, why_none
from rind.decide.selection import narrow
from rind.decide.wanted import Wanted
from rind.model import Container

PROGRAM = replace(NOWHERE, is_program=True)


def said(
    *more: Container, wanted: Wanted = ANY, caller: object = NOWHERE, fit: list[Container]
) -> str:
    """Return the message for containers of which these fit."""
    left = narrow(fit, wanted, caller)  # type: ignore[arg-type] # a Caller
    return str(why_none(left, wanted, caller, [*fit, *more]))  # type: ignore[arg-type] # a Caller


def test_a_stopped_container_is_named_with_the_command_that_starts_it() -> None:
    assert refusal([GONE]) == (
        "no running container has the label app.rind "
        "(web has it, but exited (3) 5 minutes ago; start it with: docker start web)"
    )
    assert refusal([gone(SHOP), SHOP2], caller=IN_SHOP) == (
        "no running container for /home/me/shop has the label app.rind "
        "(shop-web-1 has it, but exited (0) 2 minutes ago; start it with: docker start shop-web-1)"
    )


def test_the_likeliest_of_several_containers_is_named() -> None:
    old, new = replace(GONE, created=5), replace(gone(DB), created=7)
    assert "(db has it, but" in refusal([old, new])
    assert refusal([old, new]).endswith("docker start db; 1 more is not running either)")
    paused = replace(WEB, id="p", name="p", state="paused", status="Up 5 minutes (Paused)")
    assert "(p has it, but is paused; resume it with: docker unpause p;" in refusal([new, paused])


def test_an_excluded_one_off_is_named() -> None:
    assert said(fit=[one_off(SHOP)]) == (
        "no running container has the label app.rind (shop-web-1-run has it, but "
        "docker compose run made it; choose it with --container shop-web-1-run)"
    )


def test_no_containers_at_all_gets_instructions() -> None:
    assert refusal([]) == (
        "no container on unix:///x has the label app.rind: put it on one "
        "(in a compose file, under labels:), or choose one with --container NAME"
    )
    assert refusal([], caller=PROGRAM).endswith("or choose one with container=")
    assert refusal([], Wanted(service="a", index=3)) == (
        "no container on unix:///x has the service a and the index 3; see: docker ps --all"
    )


def test_a_project_that_is_not_up_is_named() -> None:
    assert "the project in /home/me/shop is not up; start it" in refusal([], caller=IN_SHOP)
    assert "put it on one" in said(bare(SHOP), fit=[], caller=IN_SHOP)


def test_containers_elsewhere_are_named_with_the_options_that_choose_them() -> None:
    assert refusal([SHOP2], caller=IN_SHOP) == (
        "no container of the project in /home/me/shop has the label app.rind: start it with: "
        "docker compose up --detach; or choose one of another project with --project shop2 "
        "(shop2-web-1)"
    )
    two = refusal([SHOP, API, OTHER], caller=IN_SHOP2)
    assert two.endswith(
        "one of another project with --project blog (blog-web-1), "
        "--project shop --service api (shop-api-1), --project shop --service web (shop-web-1)"
    )
    assert refusal([gone(SHOP2)], caller=IN_SHOP).endswith("docker compose up --detach")
    plain = replace(WEB, checkout="another")
    assert refusal([plain], caller=IN_SHOP).endswith("with --container web (web)")
    assert refusal([NESTED], caller=IN_NESTED).startswith(
        "no container of the checkout /home/me/shop/.trees/x has the label app.rind: "
        "choose one of another"
    )
    assert "project='shop2' (shop2-web-1)" in refusal(
        [SHOP2], caller=replace(IN_SHOP, is_program=True)
    )


def test_a_project_that_is_up_needs_no_start() -> None:
    assert ": put it on one and recreate that container; or choose" in said(
        bare(SHOP), fit=[SHOP2], caller=IN_SHOP
    )
    db = Wanted(service="db")
    text = said(
        SHOP, fit=[service("shop2", "db", folder="/home/me/shop2")], wanted=db, caller=IN_SHOP
    )
    assert text.startswith(
        "no container of the project in /home/me/shop has the service db: there is web; or choose"
    )


def test_the_project_of_the_environment_is_named() -> None:
    caller = replace(NOWHERE, project="blog")
    assert refusal([SHOP], caller=caller) == (
        "no container of the project blog, which COMPOSE_PROJECT_NAME names, has the label "
        "app.rind: choose one of another project with --project shop (shop-web-1)"
    )
    caller = replace(NOWHERE, compose_file="/x/dev.yaml")
    assert refusal([BESIDE], caller=caller).startswith(
        "no container of the project of /x/dev.yaml, which COMPOSE_FILE names, has the label"
    )


def test_a_misspelt_name_gets_the_correct_one() -> None:
    ones = [service("shop", name) for name in ("web", "db", "worker")]
    text = said(*ones, fit=[], wanted=Wanted(service="wbe"))
    assert text == (
        "no container on unix:///x has the service wbe: did you mean web? there are db, web, worker"
    )
    text = said(*ones, service("blog", "web"), fit=[], wanted=Wanted(project="shp"))
    assert text.endswith("the project shp: did you mean shop? there are blog, shop")
    text = said(*ones, fit=[], wanted=Wanted(project="shop", service="webb"))
    assert text.endswith("did you mean web? there are db, web, worker")
    text = said(*ones, fit=[], wanted=Wanted(service="shop-web-1"))
    assert text.endswith(
        "shop-web-1 is a container, not a service; choose it with --container shop-web-1"
    )
    assert likely_names("x", []) == ""
    assert likely_names("x", "abcdefg") == "there are a, b, c, d, e and 2 more"


def test_a_missing_index_gets_the_existing_ones() -> None:
    ones = [service("shop", "web", number, folder="/home/me/shop") for number in (1, 2)]
    text = said(fit=ones, wanted=Wanted(index=7))
    assert text.endswith("has the label app.rind and the index 7: there are 1, 2")
    assert said(fit=ones, wanted=Wanted(index=7), caller=IN_SHOP).endswith("there are 1, 2")
    text = said(fit=ones, wanted=Wanted(service="web", index=7), caller=IN_SHOP)
    assert text.endswith("the service web and the index 7: there are 1, 2")


def test_a_wrong_container_name_gets_a_similar_one() -> None:
    text = str(no_such_container("shopweb1", NOWHERE, [SHOP, gone(DB)]))
    assert text == "no container on unix:///x has the name shopweb1: did you mean shop-web-1?"
    assert str(no_such_container("web", NOWHERE, [SHOP])).endswith(
        "has the name web: web is a service; choose it with --service web"
    )
    text = str(no_such_container("a b", NOWHERE, []))
    assert text == "no container on unix:///x has the name 'a b'; see: docker ps --all"
    text = str(no_such_container("a", NOWHERE, [], "several begin with a"))
    assert text == "several begin with a on unix:///x; see: docker ps --all"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("app.rind.user", "web has the label app.rind.user, but not app.rind: add that"),
        ("app.rnd", "web has the label app.rnd: did you mean app.rind?"),
        ("app.ridn", "web has the label app.ridn: did you mean app.rind?"),
        ("app.ring", "web has the label app.ring: did you mean app.rind?"),
        ("app.bind.x", ""),
        ("rind.app", ""),
        ("com.example", ""),
    ],
)
def test_a_nearly_correct_label_gets_the_correct_one(label: str, text: str) -> None:
    wrong = replace(WEB, labels={label: "x"})
    assert label_note([wrong], "app.rind") == text
    assert (text or "put it on one") in said(wrong, fit=[])
    assert label_note([WEB], "app.rind") == ""
