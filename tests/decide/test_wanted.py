"""The conditions that a container must meet, and which containers meet them."""

from test_selection import service

from rind.decide.wanted import Wanted, matching


def test_service_project_and_index_narrow_the_selection() -> None:
    containers = [service("p", "a", 1), service("p", "a", 2)]
    assert matching(containers, Wanted(index=2)) == containers[1:]
    assert Wanted(service="a", project="p").filters == [
        "com.docker.compose.service",
        "com.docker.compose.project=p",
    ]
    assert Wanted(project="p").filters == ["app.rind", "com.docker.compose.project=p"]


def test_conditions_are_described() -> None:
    assert str(Wanted()) == "the label app.rind"
    assert (
        str(Wanted(project="p", index=2)) == "the label app.rind and the project p and the index 2"
    )
    assert str(Wanted(service="a", project="p")) == "the service a and the project p"
    assert str(Wanted(container="x", service="a")) == "the name x"
