from dataclasses import replace
from typing import Any

import pytest

from rind.decide.refusal import why_none
from rind.decide.selection import (
    AmbiguousError,
    NoContainerError,
    Selected,
    in_order,
    narrow,
    require_running,
    select,
    select_all,
)
from rind.decide.wanted import Wanted
from rind.errors import SelectionError
from rind.model import Caller, Container, Mount

WEB = Container("1" * 64, "web", "running", "Up 5 minutes", {"app.rind": ""})
DB = replace(WEB, id="2" * 64, name="db")
GONE = replace(WEB, state="exited", status="Exited (3) 5 minutes ago")
NOWHERE = Caller(cwd="/elsewhere", engine="unix:///x")
ANY = Wanted()
A_PATH = Wanted(paths=["/b/x"], map_paths=True)


def service(project: str, name: str, index: int = 1, **fields: Any) -> Container:
    labels = {
        "com.docker.compose.service": name,
        "com.docker.compose.project": project,
        "com.docker.compose.container-number": str(index),
        "app.rind": "",
    }
    full = f"{project}-{name}-{index}"
    return Container(full, full, "running", "Up", labels, **fields)


def bare(container: Container) -> Container:
    """Return a container without its label."""
    labels = {name: value for name, value in container.labels.items() if name != "app.rind"}
    return replace(container, labels=labels)


def at(folder: str, compose: str | None = None) -> Caller:
    compose_folder = compose or None
    return Caller(cwd=folder, engine="unix:///x", compose_folder=compose_folder)


def gone(container: Container) -> Container:
    return replace(container, state="exited", status="Exited (0) 2 minutes ago")


def one_off(container: Container) -> Container:
    labels = {**container.labels, "com.docker.compose.oneoff": "True"}
    return replace(container, labels=labels, name=f"{container.name}-run")


def find(
    candidates: list[Container],
    wanted: Wanted = ANY,
    caller: Caller = NOWHERE,
    more: list[Container] | None = None,
) -> Selected:
    """Select among containers; those of ``more`` are on the engine, but are not candidates."""
    left = narrow(candidates, wanted, caller)
    selected = select(left, wanted, caller)
    if selected is None:
        raise why_none(left, wanted, caller, [*candidates, *(more or [])])
    return selected


# --- the rule -------------------------------------------------------------------------------

HOME = "/home/me"
SHOP = service("shop", "web", folder=f"{HOME}/shop")
SHOP_DB = service("shop", "db", folder=f"{HOME}/shop")
SHOP2 = service("shop2", "web", folder=f"{HOME}/shop2")
API = service("shop", "api", folder=f"{HOME}/shop", mounts=[Mount(f"{HOME}/shop/api", "/app")])
TOOL = replace(WEB, name="tool", id="tool", mounts=[Mount(HOME, "/home")])
OTHER = replace(service("blog", "web", folder="/srv/blog"), checkout="")
IN_SHOP, IN_SHOP2 = at(f"{HOME}/shop/src", f"{HOME}/shop"), at(f"{HOME}/shop2", f"{HOME}/shop2")
MOUNTED = service("a", "web", folder="/a", mounts=[Mount("/a", "/code")])
MOUNTED_TOO = service("b", "web", folder="/b", mounts=[Mount("/b", "/code")])
NESTED = replace(SHOP, checkout="another")
IN_NESTED = Caller(cwd=f"{HOME}/shop/.trees/x/src", checkout=f"{HOME}/shop/.trees/x")
BESIDE = service("shop", "web", folder=f"{HOME}/shop/docker", checkout="ours")
FILE = f"{HOME}/shop/docker/dev.yaml"
OF_FILE = replace(BESIDE, config_files=[FILE, "/x"])

IN_API = at(f"{HOME}/shop/api", f"{HOME}/shop")
MAIN = replace(SHOP, mounts=[Mount(f"{HOME}/shop", "/app")])
STRAY = bare(service("other", "web", folder="/srv/o", mounts=[Mount(f"{HOME}/shop/api", "/x")]))
BLOG_DB, BLOG_2 = service("blog", "db", folder="/srv/b"), service("blog", "web", 2, folder="/srv/b")

REFUSED, SEVERAL = "refused", "several"
CASES: list[tuple[str, list[Container], Wanted, Caller, str | Container]] = [
    # description, candidates, conditions, the caller's place, the chosen container
    ("nothing", [], ANY, NOWHERE, REFUSED),
    ("the only one", [WEB], ANY, NOWHERE, WEB),
    ("the only one that runs", [WEB, gone(DB)], ANY, NOWHERE, WEB),
    ("two, nowhere", [WEB, DB], ANY, NOWHERE, SEVERAL),
    ("of a project, nowhere", [SHOP], ANY, NOWHERE, SHOP),
    ("all down", [gone(WEB), gone(DB)], ANY, NOWHERE, REFUSED),
    # a place
    ("the project's folder", [SHOP, SHOP2], ANY, IN_SHOP, SHOP),
    ("of two checkouts, the own is down", [gone(SHOP), SHOP2], ANY, IN_SHOP, REFUSED),
    ("the own is paused", [replace(SHOP, state="paused"), SHOP2], ANY, IN_SHOP, REFUSED),
    ("the own is not there", [SHOP], ANY, IN_SHOP2, REFUSED),
    ("a service of the other's", [gone(SHOP_DB), SHOP2], Wanted(service="db"), IN_SHOP, REFUSED),
    ("a service alone", [SHOP2], Wanted(service="web"), IN_SHOP, REFUSED),
    ("an index alone", [SHOP2], Wanted(index=1), IN_SHOP, REFUSED),
    ("a leftover beside it", [gone(replace(SHOP, id="x")), SHOP, SHOP2], ANY, IN_SHOP, SHOP),
    ("two services", [SHOP, SHOP_DB, SHOP2], ANY, IN_SHOP, SEVERAL),
    ("one of them runs", [SHOP, gone(SHOP_DB), SHOP2], ANY, IN_SHOP, SHOP),
    ("the deepest", [SHOP, API, TOOL], ANY, at(f"{HOME}/shop/api/x", f"{HOME}/shop"), API),
    ("it is down", [SHOP, gone(API)], ANY, at(f"{HOME}/shop/api", f"{HOME}/shop"), REFUSED),
    ("a mount alone", [TOOL, OTHER], ANY, at(f"{HOME}/notes"), TOOL),
    ("that is down", [gone(TOOL), OTHER], ANY, at(f"{HOME}/notes"), REFUSED),
    # another's
    ("of another project", [OTHER], ANY, IN_SHOP, REFUSED),
    ("of none", [WEB, OTHER], ANY, IN_SHOP, WEB),
    ("of none, down", [gone(WEB), OTHER], ANY, IN_SHOP, REFUSED),
    ("below ours", [BESIDE], ANY, IN_SHOP, BESIDE),
    ("above ours", [SHOP], ANY, at(f"{HOME}/shop/x", f"{HOME}/shop/x"), SHOP),
    # another checkout of the same repository
    ("in its main one", [NESTED], ANY, IN_NESTED, REFUSED),
    ("by its home", [replace(TOOL, checkout="")], ANY, IN_NESTED, TOOL),
    ("beside it", [replace(SHOP, checkout="another")], ANY, at(f"{HOME}/s2"), REFUSED),
    ("with a folder's stack", [BESIDE, OTHER], ANY, at(f"{HOME}/shop"), BESIDE),
    ("that is down", [gone(BESIDE), OTHER], ANY, at(f"{HOME}/shop"), REFUSED),
    # said
    ("a project", [SHOP], Wanted(project="shop"), IN_SHOP2, SHOP),
    ("a project with two", [SHOP, API], Wanted(project="shop"), IN_SHOP2, SEVERAL),
    ("one is near", [SHOP, API], Wanted(project="shop"), at(f"{HOME}/shop/api"), API),
    ("that is down", [SHOP, gone(API)], Wanted(project="shop"), at(f"{HOME}/shop/api"), SHOP),
    ("everywhere", [SHOP2], Wanted(everywhere=True), IN_SHOP, SHOP2),
    ("two everywhere", [SHOP, SHOP2], Wanted(everywhere=True), IN_SHOP, SEVERAL),
    ("by variable", [SHOP, SHOP2], ANY, replace(IN_SHOP, project="shop2"), SHOP2),
    ("down", [SHOP, gone(SHOP2)], ANY, replace(IN_SHOP, project="shop2"), REFUSED),
    ("not there", [SHOP, WEB], ANY, replace(IN_SHOP, project="shop2"), REFUSED),
    ("by file", [OF_FILE, OTHER], ANY, replace(NOWHERE, compose_file=FILE), OF_FILE),
    ("not there", [OTHER], ANY, replace(NOWHERE, compose_file=FILE), REFUSED),
    ("both", [OF_FILE], ANY, replace(IN_SHOP, compose_file=FILE, project="x"), REFUSED),
    # one-offs
    ("beside it", [SHOP, one_off(SHOP)], ANY, IN_SHOP, SHOP),
    ("alone", [one_off(SHOP)], ANY, IN_SHOP, one_off(SHOP)),
    ("it is down", [gone(SHOP), one_off(SHOP)], ANY, IN_SHOP, REFUSED),
    ("a leftover", [gone(one_off(SHOP)), SHOP2], ANY, IN_SHOP, REFUSED),
    ("nowhere", [one_off(SHOP), WEB], ANY, NOWHERE, WEB),
    ("a deeper one", [MAIN, one_off(API)], ANY, IN_API, MAIN),
    ("a deeper one by variable", [MAIN, one_off(API)], ANY, replace(IN_API, project="shop"), MAIN),
    ("a deeper leftover", [MAIN, gone(one_off(API))], ANY, IN_API, MAIN),
    # what narrows only
    ("a service, no label", [SHOP, bare(SHOP_DB)], Wanted(service="db"), IN_SHOP, bare(SHOP_DB)),
    ("a service of the place", [API, SHOP_DB], Wanted(service="db"), IN_API, SHOP_DB),
    ("another's with a mount", [SHOP, SHOP_DB, STRAY], Wanted(service="web"), IN_API, SHOP),
    ("only another's", [BESIDE, BLOG_DB], Wanted(service="db"), at(f"{HOME}/shop"), REFUSED),
    ("its index", [BESIDE, BLOG_2], Wanted(index=2), at(f"{HOME}/shop"), REFUSED),
    ("no label anywhere", [bare(SHOP_DB)], Wanted(service="db"), IN_SHOP, bare(SHOP_DB)),
    (
        "nor in a project by variable",
        [bare(SHOP_DB), bare(BLOG_DB)],
        Wanted(service="db"),
        replace(NOWHERE, project="shop"),
        bare(SHOP_DB),
    ),
    (
        "nor in one by file",
        [bare(OF_FILE), bare(OTHER)],
        Wanted(service="web"),
        replace(IN_SHOP, compose_file=FILE),
        bare(OF_FILE),
    ),
    # paths
    ("a path", [MOUNTED, MOUNTED_TOO], A_PATH, at("/a"), MOUNTED_TOO),
    ("not mapped", [MOUNTED, MOUNTED_TOO], Wanted(paths=["/b/x"]), at("/a"), MOUNTED),
    ("of none", [MOUNTED, TOOL], Wanted(paths=["/etc/x"], map_paths=True), at("/a"), MOUNTED),
    ("down", [MOUNTED, gone(MOUNTED_TOO)], Wanted(paths=["/b"], map_paths=True), at("/a"), REFUSED),
    ("two", [MOUNTED, MOUNTED_TOO], Wanted(paths=["/a", "/b"], map_paths=True), NOWHERE, REFUSED),
    (
        "ours too",
        [MOUNTED, MOUNTED_TOO],
        Wanted(paths=["/b", "/a"], map_paths=True),
        at("/a"),
        MOUNTED,
    ),
]


@pytest.mark.parametrize(
    ("candidates", "wanted", "caller", "taken"),
    [case[1:] for case in CASES],
    ids=[f"{case[0]}, {number}" for number, case in enumerate(CASES)],
)
def test_the_rule_chooses_one_container(
    candidates: list[Container], wanted: Wanted, caller: Caller, taken: str | Container
) -> None:
    for order in (candidates, candidates[::-1]):
        try:
            found: str | Container = find(order, wanted, caller).container
        except AmbiguousError:
            found = SEVERAL
        except SelectionError:
            found = REFUSED
        assert found == taken


ALL: list[tuple[list[Container], Wanted, Caller, list[Container]]] = [
    ([WEB, DB], ANY, NOWHERE, [DB, WEB]),
    ([SHOP, SHOP_DB, SHOP2, gone(API)], ANY, IN_SHOP, [SHOP_DB, SHOP]),
    ([SHOP, SHOP2], Wanted(everywhere=True), IN_SHOP, [SHOP, SHOP2]),
    ([SHOP, SHOP2], Wanted(project="shop2"), IN_SHOP, [SHOP2]),
    ([SHOP, SHOP2], Wanted(service="web"), IN_SHOP, [SHOP]),
    ([gone(SHOP), SHOP2], ANY, IN_SHOP, []),
    ([SHOP2], ANY, IN_SHOP, []),
    ([SHOP, one_off(SHOP)], ANY, NOWHERE, [SHOP]),
    ([one_off(SHOP)], ANY, NOWHERE, []),
    ([], ANY, NOWHERE, []),
]


@pytest.mark.parametrize(("candidates", "wanted", "caller", "taken"), ALL)
def test_the_rule_chooses_all_containers(
    candidates: list[Container], wanted: Wanted, caller: Caller, taken: list[Container]
) -> None:
    found = select_all(narrow(candidates, wanted, caller), wanted)
    assert [selected.container for selected in found] == taken


def test_the_reason_is_reported() -> None:
    def reason(*candidates: Container, wanted: Wanted = ANY, caller: Caller = NOWHERE) -> str:
        return find([*candidates], wanted, caller).reason

    assert reason(WEB) == "the only one with the label app.rind"
    assert reason(WEB, gone(DB)) == "the only one that runs, of 2 with the label app.rind"
    assert reason(SHOP, SHOP2, caller=IN_SHOP) == "the one for /home/me/shop"
    beside = replace(at("/home/me/shop"), checkout="/home/me/shop")
    assert reason(BESIDE, caller=beside) == "the one below /home/me/shop"
    beside = replace(beside, repository=(1, 2))
    assert reason(BESIDE, caller=beside) == "the one of the checkout /home/me/shop"
    named = replace(NOWHERE, project="shop")
    assert reason(SHOP, SHOP2, caller=named) == (
        "of the project shop, which COMPOSE_PROJECT_NAME names"
    )
    named = replace(NOWHERE, compose_file=FILE)
    assert reason(OF_FILE, caller=named) == f"of the project of {FILE}, which COMPOSE_FILE names"
    assert reason(MOUNTED, MOUNTED_TOO, wanted=A_PATH) == "the one that mounts /b/x"
    [first, second] = select_all(narrow([WEB, DB], ANY, NOWHERE), ANY)
    assert first.reason == second.reason == "one of 2 with the label app.rind"


def test_a_swarm_may_have_a_fitting_task() -> None:
    def is_final(candidates: list[Container], caller: Caller) -> bool:
        with pytest.raises(NoContainerError) as caught:
            find(candidates, ANY, caller)
        return caught.value.is_final

    assert is_final([gone(SHOP)], IN_SHOP)
    assert not is_final([gone(WEB)], NOWHERE)
    assert not is_final([SHOP2], IN_SHOP)
    assert not is_final([SHOP2], replace(NOWHERE, project="shop"))


def refusal(candidates: list[Container], wanted: Wanted = ANY, caller: Caller = NOWHERE) -> str:
    with pytest.raises(SelectionError) as caught:
        find(candidates, wanted, caller)
    assert caught.value.exit_status == 125
    return str(caught.value)


def test_a_service_needs_no_label_but_labelled_ones_come_first() -> None:
    other, labelled = bare(service("p", "a")), service("q", "a")
    assert find([other], Wanted(service="a")).container is other
    assert find([other, labelled], Wanted(service="a")).container is labelled


def test_several_containers_are_named_with_options_for_each() -> None:
    assert refusal([WEB, DB]) == (
        "2 running containers have the label app.rind: "
        "choose one with --container db (db), --container web (web)"
    )


@pytest.mark.parametrize(
    ("containers", "options"),
    [
        ([service("p", "a"), service("p", "b")], ["--service a", "--service b"]),
        ([service("p", "a"), service("q", "a")], ["--project p", "--project q"]),
        ([service("p", "a", 1), service("p", "a", 2)], ["--index 1", "--index 2"]),
        (
            [service("p", "a", 1), service("p", "a", 2), service("p", "b", 1)],
            ["--service a --index 1", "--index 2", "--service b"],
        ),
        (
            [service("p", "a"), service("p", "b"), service("q", "a"), service("q", "b")],
            ["--service a --project p", "--service b --project p", "--service a --project q"],
        ),
        ([service("p", "a"), WEB], ["--service a", "--container web"]),
    ],
)
def test_the_suggested_options_choose_the_container(
    containers: list[Container], options: list[str]
) -> None:
    with pytest.raises(AmbiguousError) as caught:
        find(containers)
    assert list(caught.value.candidates) == sorted(containers, key=lambda it: it.name)
    for option in options:
        assert f"{option} (" in str(caught.value)


def test_the_suggested_options_can_be_pasted() -> None:
    containers = [service("p", name) for name in ("web $(touch x);1", "=ls", "~", "it's", "a")]
    said = refusal(containers)
    for option in (
        "--service 'web $(touch x);1' (",
        "--service '=ls' (",
        "--service '~' (",
        """--service 'it'"'"'s' (""",
        "--service a (",
    ):
        assert option in said
    named = [replace(WEB, id=name, name=name) for name in ("a b", "=c")]
    assert "choose one with --container '=c' (=c), --container 'a b' (a b)" in refusal(named)


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("paused", "docker unpause 'a;b'"),
        ("restarting", "docker logs 'a;b'"),
        ("exited", "docker start 'a;b'"),
    ],
)
def test_the_suggested_commands_can_be_pasted(state: str, hint: str) -> None:
    with pytest.raises(SelectionError) as caught:
        require_running(replace(WEB, name="a;b", state=state))
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("number", ["²", "0", "01", "-1", "1" * 5000, "1\n", "٣", "x", ""])
def test_an_index_that_no_option_accepts_is_not_suggested(number: str) -> None:
    odd = service("p", "a")
    odd = replace(odd, labels={**odd.labels, "com.docker.compose.container-number": number})
    assert odd.index == ""
    assert "choose one with --container p-a-1 (p-a-1), --index 2 (p-a-2)" in refusal(
        [odd, service("p", "a", 2)]
    )


def test_indexes_are_sorted_as_numbers() -> None:
    names = ["p-a-10", "p-a-2", "p-a", "b1f", "1", "b10f"]
    found = sorted((Container("", name, "running", "", {}) for name in names), key=in_order)
    assert [container.name for container in found] == ["1", "b10f", *reversed(names[:4])]


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ("paused", "Up 5 minutes (Paused)", "is paused; resume it with: docker unpause web"),
        ("restarting", "Restarting (1) 1 second ago", "is restarting; see why"),
        ("created", "Created", "is created; start it with: docker start web"),
        ("exited", "Exited (0) 1 day ago", "exited (0) 1 day ago; start it with: docker start web"),
        ("exited", "", "is exited; start it"),
        ("dead", "Dead", "is dead; start it"),
    ],
)
def test_a_container_that_does_not_run_is_described(state: str, status: str, said: str) -> None:
    with pytest.raises(SelectionError, match="the container web") as caught:
        require_running(replace(WEB, state=state, status=status))
    assert said in str(caught.value)


def test_a_hint_for_a_task_names_its_node() -> None:
    labels = {"com.docker.swarm.task.name": "web.1.x"}
    task = replace(WEB, name="web.1.x", labels=labels, node="node2")
    with pytest.raises(SelectionError, match=r"resume it on node2 with: docker unpause web\.1\.x"):
        require_running(replace(task, state="paused"))
    with pytest.raises(SelectionError, match="is exited; the swarm starts another one"):
        require_running(replace(task, state="exited", status=""))


def test_an_error_names_only_a_few_of_many_containers() -> None:
    many = [replace(WEB, id=str(number), name=f"web-{number:02}") for number in range(65)]
    with pytest.raises(AmbiguousError) as caught:
        find(many)
    assert len(caught.value.candidates) == 65
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith("(web-04), or one of 60 more; see: rind --list")
