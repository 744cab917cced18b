"""Near and elsewhere; test_selection.py tests the selection by them."""

from dataclasses import replace

from test_selection import WEB, at, service

from rind.decide.nearness import around, deepest, depth, is_foreign, nearest, nearness
from rind.model import Mount


def test_the_folders_around_the_caller_are_near() -> None:
    web = service(
        "shop", "web", folder="/shop", mounts=[Mount("/shop/api", "/a"), Mount("/x", "/x")]
    )
    assert around(web, at("/shop/api/src")) == ["/shop", "/shop/api"]
    assert around(web, at("/shop2")) == []
    assert around(replace(web, local_folder="/shop"), at("/shop")) == ["/shop", "/shop"]
    inside = replace(at("/shop/tree/src"), checkout="/shop/tree")
    assert around(replace(web, checkout="another"), inside) == []
    assert around(replace(web, checkout="another", folder="/shop/tree"), inside) == ["/shop/tree"]


def test_depth_counts_the_names_in_the_deepest_folder() -> None:
    assert depth(["/a", "/a/b", "/c"], "/a/b/x") == 3
    assert depth(["/"], "/a") == 1
    assert depth(["/b"], "/a") == depth([], "/a") == depth(["/"], "") == 0


def test_the_nearest_container_is_chosen() -> None:
    shop, api = service("shop", "web", folder="/shop"), service("shop", "api", folder="/shop/api")
    assert nearest([shop, api, WEB], at("/shop/api")) == [api]
    assert nearest([shop, api, WEB], at("/elsewhere")) == [shop, api, WEB]
    assert nearness(api, at("/shop")) == 0
    assert deepest([shop, api], {shop.id: 0, api.id: 0}) == deepest([], {}) == []


def test_the_environments_project_is_the_callers() -> None:
    b, c = (service(name, "web", folder=f"/{name}") for name in "bc")
    assert not is_foreign(b, replace(at("/a", "/a"), project="b"))
    assert is_foreign(c, replace(at("/a", "/a"), project="b"))


def test_a_caller_in_another_project_is_elsewhere() -> None:
    web = service("shop", "web", folder="/home/me/shop", mounts=[Mount("/srv/shared", "/app")])
    assert is_foreign(web, at("/home/me/other/src", "/home/me/other"))
    assert not is_foreign(web, at("/home/me/shop", "/home/me/shop"))
    assert not is_foreign(web, at("/srv/shared/x", "/srv/shared"))
    assert not is_foreign(web, at("/home/me/other"))
    assert not is_foreign(WEB, at("/home/me/other", "/home/me/other"))
