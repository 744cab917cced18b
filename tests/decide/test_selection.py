from dataclasses import replace
from typing import Any

import pytest

from rind.decide.selection import (
    AmbiguousError,
    Wanted,
    fitting,
    in_order,
    nearest,
    require_running,
    select,
    stands_elsewhere,
)
from rind.errors import SelectionError
from rind.model import Caller, Container, Mount

WEB = Container("1" * 64, "web", "running", "Up 5 minutes", {"app.rind": ""})
DB = replace(WEB, id="2" * 64, name="db")
GONE = replace(WEB, state="exited", status="Exited (3) 5 minutes ago")
NOWHERE = Caller(cwd="/elsewhere", engine="unix:///x")
ANY = Wanted()


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
    """Take its label away."""
    labels = {name: value for name, value in container.labels.items() if name != "app.rind"}
    return replace(container, labels=labels)


def at(folder: str, compose: str | None = None) -> Caller:
    compose_folder = compose or None
    return Caller(cwd=folder, engine="unix:///x", compose_folder=compose_folder)


def test_the_project_that_the_environment_names_goes_first() -> None:
    a, b, c = (service(name, "web", folder=f"/{name}") for name in "abc")
    named = replace(at("/a"), project="b")
    assert select([a, b, c], [], ANY, named).container is b
    assert select([a, c], [], ANY, named).container is a
    assert not stands_elsewhere(b, replace(at("/a", "/a"), project="b"))
    assert stands_elsewhere(c, replace(at("/a", "/a"), project="b"))


def test_the_reason_is_told() -> None:
    paused = replace(DB, state="paused")
    here = service("shop", "web", folder="/home/me/shop")
    there = service("blog", "web", folder="/home/me/blog")
    assert select([WEB], [], ANY, NOWHERE).reason == "the only one with the label app.rind"
    reason = select([WEB, paused], [], ANY, NOWHERE).reason
    assert reason == "the only one that is not paused, of 2 with the label app.rind"
    reason = select([here, there], [], ANY, at("/home/me/shop")).reason
    assert reason == "the nearest to the working directory, of 2 with the label app.rind"
    reason = select([here, there], [], ANY, replace(NOWHERE, project="blog")).reason
    assert reason.startswith("of the project that COMPOSE_PROJECT_NAME names, of 2 with ")


def test_one_is_chosen() -> None:
    assert select([WEB], [], ANY, NOWHERE).container is WEB
    assert select([WEB], [GONE], ANY, NOWHERE).container is WEB


def refusal(
    up: list[Container], down: list[Container], wanted: Wanted = ANY, caller: Caller = NOWHERE
) -> str:
    with pytest.raises(SelectionError) as caught:
        select(up, down, wanted, caller)
    assert caught.value.exit_status == 125
    return str(caught.value)


def test_several_are_named_with_what_chooses_each() -> None:
    assert refusal([WEB, DB], []) == (
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
def test_the_options_that_are_offered_choose(
    containers: list[Container], options: list[str]
) -> None:
    with pytest.raises(AmbiguousError) as caught:
        select(containers, [], ANY, NOWHERE)
    assert list(caught.value.candidates) == sorted(containers, key=lambda it: it.name)
    for option in options:
        assert f"{option} (" in str(caught.value)


def test_the_options_that_are_offered_can_be_pasted() -> None:
    containers = [service("p", name) for name in ("web $(touch x);1", "=ls", "~", "it's", "a")]
    said = refusal(containers, [])
    for option in (
        "--service 'web $(touch x);1' (",
        "--service '=ls' (",
        "--service '~' (",
        """--service 'it'"'"'s' (""",
        "--service a (",
    ):
        assert option in said
    named = [replace(WEB, id=name, name=name) for name in ("a b", "=c")]
    assert "choose one with --container '=c' (=c), --container 'a b' (a b)" in refusal(named, [])


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("paused", "docker unpause 'a;b'"),
        ("restarting", "docker logs 'a;b'"),
        ("exited", "docker start 'a;b'"),
    ],
)
def test_the_commands_that_are_offered_can_be_pasted(state: str, hint: str) -> None:
    with pytest.raises(SelectionError) as caught:
        require_running(replace(WEB, name="a;b", state=state))
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("number", ["²", "0", "01", "-1", "1" * 5000, "1\n", "٣", "x", ""])
def test_an_index_that_no_option_takes_is_none(number: str) -> None:
    odd = service("p", "a")
    odd = replace(odd, labels={**odd.labels, "com.docker.compose.container-number": number})
    assert odd.index == ""
    assert "choose one with --container p-a-1 (p-a-1), --index 2 (p-a-2)" in refusal(
        [odd, service("p", "a", 2)], []
    )


def test_numbers_are_in_their_order() -> None:
    names = ["p-a-10", "p-a-2", "p-a", "b1f", "1", "b10f"]
    found = sorted((Container("", name, "running", "", {}) for name in names), key=in_order)
    assert [container.name for container in found] == ["1", "b10f", *reversed(names[:4])]


def test_service_project_and_index_narrow() -> None:
    containers = [service("p", "a", 1), service("p", "a", 2)]
    assert fitting(containers, Wanted(index=2)) == containers[1:]
    assert Wanted(service="a", project="p").filters == [
        "com.docker.compose.service=a",
        "com.docker.compose.project=p",
    ]
    assert Wanted(project="p").filters == ["app.rind", "com.docker.compose.project=p"]


def test_a_service_needs_no_label_but_one_that_has_it_comes_first() -> None:
    other, labelled = bare(service("p", "a")), service("q", "a")
    assert fitting([other], Wanted(service="a")) == [other]
    assert fitting([other, labelled], Wanted(service="a")) == [labelled]


def test_the_one_whose_project_or_mount_we_stand_in() -> None:
    here = service("shop", "web", folder="/home/me/shop")
    there = service("shop2", "web", folder="/home/me/shop2")
    api = service(
        "shop", "api", folder="/home/me/shop", mounts=[Mount("/home/me/shop/api", "/app")]
    )
    assert select([here, there], [], ANY, at("/home/me/shop/src/x")).container is here
    assert select([here, there], [], ANY, at("/home/me/shop2")).container is there
    assert select([here, there, api], [], ANY, at("/home/me/shop/api/src")).container is api
    assert len(nearest([here, there, api], at("/home/me"))) == 3
    assert nearest([here, there, api], at("/home/me/shop")) == [here, api]


def test_standing_in_another_project() -> None:
    web = service("shop", "web", folder="/home/me/shop", mounts=[Mount("/srv/shared", "/app")])
    assert stands_elsewhere(web, at("/home/me/other/src", "/home/me/other"))
    assert not stands_elsewhere(web, at("/home/me/shop", "/home/me/shop"))
    assert not stands_elsewhere(web, at("/srv/shared/x", "/srv/shared"))
    assert not stands_elsewhere(web, at("/home/me/other"))
    assert not stands_elsewhere(WEB, at("/home/me/other", "/home/me/other"))


def test_a_stopped_one_is_named_with_how_to_start_it() -> None:
    assert refusal([], [GONE]) == (
        "no running container has the label app.rind "
        "(web has it, but exited (3) 5 minutes ago; start it with: docker start web)"
    )


def test_none_says_what_to_do() -> None:
    assert refusal([], []) == (
        "no container on unix:///x has the label app.rind: put it on one "
        "(in a compose file, under labels:), or choose one with --container NAME"
    )
    assert refusal([], [], Wanted(service="a", index=3)) == (
        "no container on unix:///x has the service a and the index 3: see: docker ps --all"
    )


def test_a_project_that_is_not_up_is_named() -> None:
    place = at("/home/me/shop/src", "/home/me/shop")
    assert "the project in /home/me/shop is not up; start it" in refusal([], [], caller=place)
    with pytest.raises(SelectionError, match="put it on one"):
        select([], [], ANY, place, [bare(service("shop", "db", folder="/home/me/shop"))])


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
def test_one_that_does_not_run(state: str, status: str, said: str) -> None:
    with pytest.raises(SelectionError, match="the container web") as caught:
        require_running(replace(WEB, state=state, status=status))
    assert said in str(caught.value)


def test_a_task_is_mended_on_its_node() -> None:
    labels = {"com.docker.swarm.task.name": "web.1.x"}
    task = replace(WEB, name="web.1.x", labels=labels, node="node2")
    with pytest.raises(SelectionError, match=r"resume it on node2 with: docker unpause web\.1\.x"):
        require_running(replace(task, state="paused"))
    with pytest.raises(SelectionError, match="is exited; the swarm starts another one"):
        require_running(replace(task, state="exited", status=""))


def test_an_error_names_a_few_of_many() -> None:
    many = [replace(WEB, id=str(number), name=f"web-{number:02}") for number in range(65)]
    with pytest.raises(AmbiguousError) as caught:
        select(many, [], ANY, NOWHERE)
    assert len(caught.value.candidates) == 65
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith("(web-04), or one of 60 more; see: rind --list")
