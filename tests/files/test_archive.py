"""Archives, over both carriers; test_transfer.py tests whole copies."""

import tarfile
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from carriers import Carry, by_each_carrier, opened
from conftest import TestContainer

from rind.errors import Refused
from rind.files import archive
from rind.files.archive import PathStat, get_archive, put_archive, stat_path
from rind.transport.carrier import WrongAnswer


def packed(name: str, data: bytes) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, BytesIO(data))
    return buffer.getvalue()


@by_each_carrier
async def test_an_archive_is_copied_both_ways(busybox: TestContainer, carry: Carry) -> None:
    content = b"some\0bytes" * 100_000

    async def parts() -> AsyncIterator[bytes]:
        whole = packed("file", content)
        for at in range(0, len(whole), 70_000):
            yield whole[at : at + 70_000]

    async with opened(busybox.engine.host, carry) as engine:
        container = (await engine.container(busybox.name)).id
        await put_archive(engine, container, "/tmp", parts())
        async with get_archive(engine, container, "/tmp/file") as (stat, back):
            whole = BytesIO(b"".join([part async for part in back]))
        assert stat == PathStat(is_folder=False, link="")
        with tarfile.open(fileobj=whole) as tar:
            file = tar.extractfile("file")
            assert file is not None
            assert file.read() == content


@by_each_carrier
async def test_a_path_is_inspected(busybox: TestContainer, carry: Carry) -> None:
    busybox.inside("ln -sfn ../tmp /tmp/link")
    async with opened(busybox.engine.host, carry) as engine:
        container = (await engine.container(busybox.name)).id
        assert await stat_path(engine, container, "/tmp") == PathStat(is_folder=True, link="")
        link = await stat_path(engine, container, "/tmp/link")
        assert link is not None
        assert link.link
        assert await stat_path(engine, container, "/nowhere") is None


@by_each_carrier
async def test_an_engines_refusal_is_an_error(busybox: TestContainer, carry: Carry) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield packed("file", b"x" * 100_000)

    async with opened(busybox.engine.host, carry) as engine:
        container = (await engine.container(busybox.name)).id
        with pytest.raises(Refused) as caught:
            async with get_archive(engine, container, "/nowhere"):
                pass
        assert caught.value.http_status == 404
        with pytest.raises(Refused) as caught:
            await put_archive(engine, container, "/nowhere", parts())
        assert caught.value.http_status == 404


@pytest.mark.parametrize(
    "header", ["", "x", "e30=", "eyJtb2RlIjoieCIsImxpbmtUYXJnZXQiOiIifQ==", "W10="]
)
def test_an_invalid_header_is_rejected(header: str) -> None:
    with pytest.raises(WrongAnswer, match="path stat is missing or invalid"):
        archive._stat(header)
