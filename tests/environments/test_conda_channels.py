"""Where packages come from: channels by name, URL and path, under a person's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.environments.conda.addresses import name_of, public, split
from mlproj.environments.conda.channels import Channels
from mlproj.environments.conda.configuration import read_configuration
from mlproj.environments.conda.environment import CondaEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec
from tests.conda_channels import Package, channel
from tests.environments.conftest import lock, packages

CONDA = "https://conda.anaconda.org"
MAIN, R = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"


def urls(
    tmp_path: Path, named: tuple[str, ...], condarc: str = "", asked: tuple[str, ...] = (), **variables: str
) -> list[tuple[str, ...]]:
    (tmp_path / ".condarc").write_text(condarc)
    environ = {"HOME": str(tmp_path), **variables}
    channels = Channels(configuration=read_configuration(environ), folder=tmp_path, environ=environ)
    return [tier.urls for tier in channels.tiers(named, asked)]


@pytest.mark.parametrize(
    "name, url",
    [
        ("conda-forge", f"{CONDA}/conda-forge"),
        ("nvidia/label/cuda-11.8.0", f"{CONDA}/nvidia/label/cuda-11.8.0"),
        ("https://example.org/forge/", "https://example.org/forge"),
        ("https://example.org/forge/linux-64", "https://example.org/forge"),
        ("file:///srv/forge", "file:///srv/forge"),
        ("/srv/a forge", "file:///srv/a%20forge"),
        ("pkgs/main", MAIN),
        ("$WHERE/forge", "https://example.org/forge"),
        ("${WHERE}/forge", "https://example.org/forge"),
    ],
)
def test_a_channel_is_a_name_an_address_or_a_path(tmp_path: Path, name: str, url: str) -> None:
    assert urls(tmp_path, (name,), WHERE="https://example.org") == [(url,)]


def test_a_relative_channel_lies_beside_the_file(tmp_path: Path) -> None:
    assert urls(tmp_path, ("./ü",)) == [((tmp_path / "ü").as_uri(),)]


def test_without_channels_there_are_condas_defaults(tmp_path: Path) -> None:
    assert urls(tmp_path, ()) == [(MAIN, R)]
    assert urls(tmp_path, ("nodefaults",)) == [(MAIN, R)]
    assert urls(tmp_path, ("defaults",), "default_channels: [https://a.org/b]") == [("https://a.org/b",)]


def test_configured_channels_follow_unless_there_are_to_be_no_defaults(tmp_path: Path) -> None:
    condarc = "channels: [conda-forge, defaults]"
    assert urls(tmp_path, (), condarc) == [(f"{CONDA}/conda-forge",), (MAIN, R)]
    assert urls(tmp_path, ("pytorch",), condarc) == [
        (f"{CONDA}/pytorch",),
        (f"{CONDA}/conda-forge",),
        (MAIN, R),
    ]
    assert urls(tmp_path, ("pytorch", "nodefaults"), condarc) == [(f"{CONDA}/pytorch",)]


def test_channels_that_rattler_is_configured_with_count_where_conda_has_none(tmp_path: Path) -> None:
    (tmp_path / ".config" / "rattler").mkdir(parents=True)
    (tmp_path / ".config" / "rattler" / "config.toml").write_text('default-channels = ["bioconda"]\n')
    assert urls(tmp_path, ()) == [(f"{CONDA}/bioconda",)]
    assert urls(tmp_path, (), "channels: [conda-forge]") == [(f"{CONDA}/conda-forge",)]


@pytest.mark.parametrize(
    "condarc, url",
    [
        ("channel_alias: https://mirror.example.org/conda", "https://mirror.example.org/conda/conda-forge"),
        ("channel_alias: /srv/channels", "file:///srv/channels/conda-forge"),
        ("channel_alias: file:///srv/channels/", "file:///srv/channels/conda-forge"),
        ("custom_channels: {conda-forge: https://example.org/x}", "https://example.org/x/conda-forge"),
        ("custom_channels: {conda: https://example.org/x}", f"{CONDA}/conda-forge"),
        ("custom_channels: {conda-forge: $WHERE/x}", "https://w.org/x/conda-forge"),
        ("mirrored_channels: {conda-forge: [https://a.org/f, https://b.org/f]}", "https://a.org/f"),
    ],
)
def test_a_persons_configuration_says_where_a_name_leads(tmp_path: Path, condarc: str, url: str) -> None:
    assert urls(tmp_path, ("conda-forge",), condarc, WHERE="https://w.org") == [(url,)]


def test_variables_outrank_files_and_a_named_file_the_usual_ones(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("channel_alias: https://mine.org\n")
    alias = "channel_alias: https://home.org"
    assert urls(tmp_path, ("f",), alias) == [("https://home.org/f",)]
    assert urls(tmp_path, ("f",), alias, CONDARC=str(tmp_path / "mine")) == [("https://mine.org/f",)]
    assert urls(tmp_path, ("f",), alias, CONDA_CHANNEL_ALIAS="https://v.org") == [("https://v.org/f",)]
    assert urls(tmp_path, (), alias, CONDA_CHANNELS="a,b") == [
        ("https://home.org/a",),
        ("https://home.org/b",),
    ]


def test_channels_of_single_packages_come_last(tmp_path: Path) -> None:
    found = urls(tmp_path, ("conda-forge",), "", ("pytorch::torch=1", "python=3.8", "conda-forge::numpy"))
    assert found == [(f"{CONDA}/conda-forge",), (f"{CONDA}/pytorch",)]


@pytest.mark.parametrize("condarc", ["channels: [", "- a"])
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, condarc: str) -> None:
    with pytest.raises(EnvironmentFailed, match=r"\.condarc"):
        urls(tmp_path, (), condarc)


@pytest.mark.parametrize(
    "verify, settings",
    [
        ("true", ()),
        ("", ()),
        ("truststore", ()),
        ("false", (("tls-no-verify", "true"),)),
        ("'No'", (("tls-no-verify", "true"),)),
    ],
)
def test_certificates_are_looked_at_unless_they_are_not_to_be(
    tmp_path: Path, verify: str, settings: tuple[tuple[str, str], ...]
) -> None:
    (tmp_path / ".condarc").write_text(f"ssl_verify: {verify}\n")
    network = read_configuration({"HOME": str(tmp_path)}).network
    assert (network.settings, network.certificates) == (settings, None)


@pytest.mark.parametrize("named", ["{home}/ours.pem", "~/ours.pem", "$WHERE/ours.pem"])
def test_certificates_may_be_named(tmp_path: Path, named: str) -> None:
    (tmp_path / "ours.pem").touch()
    (tmp_path / ".condarc").write_text(f"ssl_verify: {named.format(home=tmp_path)}\n")
    environ = {"HOME": str(tmp_path), "WHERE": str(tmp_path)}
    assert read_configuration(environ).network.certificates == str(tmp_path / "ours.pem")
    with pytest.raises(EnvironmentFailed, match=r"`ssl_verify` names `theirs\.pem`"):
        read_configuration({**environ, "CONDA_SSL_VERIFY": "theirs.pem"})


def test_packages_are_told_from_their_channels() -> None:
    assert split("https://ada:pw@h.org/t/tok/x::y=1=2") == ("https://ada:pw@h.org/t/tok/x", "y=1=2")
    assert split("x[channel='u::v']") == (None, "x[channel='u::v']")
    names = {"Python >=3.8": "python", "a::b-c=1": "b-c", "https://h.org/noarch/x-1-0.conda": None, "*": None}
    assert {text: name_of(text) for text in names} == names


@pytest.mark.parametrize(
    "url",
    ["https://ada:pw@h.org/t/tk-1/x", "https://ada@h.org/x", "https://h.org/t/tk-1/x", "https://h.org/x"],
)
def test_nothing_secret_is_left_in_a_public_address(url: str) -> None:
    assert public(url) == "https://h.org/x"


def specification(*dependencies: str, channels: tuple[str, ...]) -> CondaSpec:
    return CondaSpec(
        file="conda.yaml", channels=(*channels, "nodefaults"), dependencies=dependencies, because="asked for"
    )


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    first = channel(tmp_path / "first", Package(name="tool", version="1.0"))
    second = channel(tmp_path / "second", Package(name="tool", version="2.0"), Package(name="other"))
    return first, second


def test_the_first_channel_that_has_a_package_is_the_one(tmp_path: Path, two: tuple[str, str]) -> None:
    environment = CondaEnvironment(tmp_path / "cache")
    strict = lock(environment, specification("tool", "other", channels=two), tmp_path)
    assert packages(strict) == {"tool": "1.0=0", "other": "1.0=0"}
    named = lock(environment, specification(f"{two[1]}::tool", channels=two), tmp_path)
    assert packages(named) == {"tool": "2.0=0"}


def test_priority_among_channels_can_be_switched_off(tmp_path: Path, two: tuple[str, str]) -> None:
    environment = CondaEnvironment(tmp_path / "cache", {"CONDA_CHANNEL_PRIORITY": "disabled"})
    assert packages(lock(environment, specification("tool", channels=two), tmp_path)) == {"tool": "2.0=0"}


def test_channels_in_one_name_rank_alike(tmp_path: Path, two: tuple[str, str]) -> None:
    environ = {"CONDA_DEFAULT_CHANNELS": ",".join(two)}
    environment = CondaEnvironment(tmp_path / "cache", environ)
    for asked in ("tool", "defaults::tool"):
        found = lock(environment, specification(asked, channels=("defaults",)), tmp_path)
        assert packages(found) == {"tool": "2.0=0"}
