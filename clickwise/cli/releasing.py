"""Promoting, trying and taking back a model: with a running server or without.

A promotion in order, each step safe to be killed after:

1. the bundle is checked and lies in this home (and at its URL);
2. the pointer names it as the candidate: builders index its items, processes open and warm it;
3. one transaction makes it live and what was live the previous one;
4. processes put it in place, between requests; the topic and the alias follow.

Before step 3 the old model is live, entirely; after it the new one is. A promotion that was killed
is finished by promoting again, or taken back with `withdraw`.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from clickwise.bundle.folder import read_manifest
from clickwise.cli import announcing, homes
from clickwise.cli.opener import make_live, open_bundle
from clickwise.cli.release_preparing import await_open, prepare
from clickwise.cli.release_publishing import publish
from clickwise.cli.release_site import Site, Told, change, give_role, opened_site, silent
from clickwise.errors import ConfigurationError, ConflictError, NotFoundError
from clickwise.releases import roles
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, Pointer, Role
from clickwise.types import ModelVersion

SWAP_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Released:
    """What a command did. `seconds`: from its start to its last step; `swapped`: processes of this
    machine that answer with the model by then, of `processes`.
    """

    version: ModelVersion
    before: ModelVersion | None
    seconds: float
    swapped: int
    processes: int


def promote(
    settings: Settings,
    bundle: str | Path,
    *,
    url: str = "",
    encoder: str = "",
    told: Told = silent,
) -> Released:
    """Make a bundle the live model; returns when this machine's processes answer with it.

    Args:
        settings: of the site.
        bundle: a folder, or the version of a bundle in this home.
        url: where other machines find it: a folder or an fsspec URL; it is copied there. Empty:
            its folder in this home.
        encoder: the text encoder that it was made for, as CLICKWISE_ENCODER_MODEL names it.
            Empty: that of the live model, or what the setting names.
        told: called after each step. What it raises stops the promotion there.

    Raises:
        NotFoundError: no such bundle.
        BundleError: it is damaged, or does not go with this site's text vectors.
        ConflictError: somebody else promotes at the same time, or it is live already.
        UnavailableError: a service does not answer.
    """
    started = time.monotonic()
    with opened_site(settings) as site:
        with homes.naming_turn(settings):
            published = publish(site, bundle, url, encoder)
            live = site.state.pointer().role("live")
            if live is not None and live.version == published.version:
                raise ConflictError(f"{published.version} is live already")
            told("checked")
            give_role(site, "candidate", published, share=0.0)
        told("named")
        prepare(site, published, told)
        pointer = change(
            site, lambda now: roles.promoted(now, published.version, now=site.clock.now())
        )
        told("live")
        return _follow_up(site, pointer, live, started=started, told=told)


def rollback(settings: Settings, *, told: Told = silent) -> Released:
    """Make the previous model live again.

    Raises:
        NotFoundError: there is none.
        BundleError: its files are damaged, or it is the built-in one of other settings; nothing is
            changed.
    """
    started = time.monotonic()
    with opened_site(settings) as site:
        pointer = site.state.pointer()
        previous = pointer.role("previous")
        if previous is not None:
            open_bundle(settings, previous)
        live = pointer.role("live")
        pointer = change(site, lambda now: roles.rolled_back(now, now=site.clock.now()))
        told("live")
        return _follow_up(site, pointer, live, started=started, told=told)


def try_on(
    settings: Settings,
    role: Role,
    bundle: str | Path,
    *,
    share: float,
    url: str = "",
    encoder: str = "",
    told: Told = silent,
) -> Released:
    """Give a bundle to a share of users (`canary`), or ask it beside the live one (`shadow`).

    Raises:
        ConfigurationError: the share is not above 0 and at most 1.
        ClickwiseError: see `promote`.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigurationError(f"--share {share:g}: expected above 0 and at most 1")
    started = time.monotonic()
    with opened_site(settings) as site:
        with homes.naming_turn(settings):
            published = publish(site, bundle, url, encoder)
            pointer = site.state.pointer()
            live = pointer.role("live")
            if live is not None and live.version == published.version:
                raise ConflictError(f"{published.version} is live already: there is nothing to try")
            told("checked")
            is_new = not any(
                one.version == published.version and one.role != "candidate"
                for one in pointer.named
            )
            give_role(
                site, "candidate" if is_new else role, published, share=0.0 if is_new else share
            )
        if is_new:
            told("named")
            prepare(site, published, told)
            give_role(site, role, published, share=share)
        told(role)
        swapped = await_open(settings, role, published.version, seconds=SWAP_PATIENCE_SECONDS)
        before = live.version if live is not None else None
        return Released(published.version, before, time.monotonic() - started, *swapped)


def withdraw(settings: Settings) -> list[ModelVersion]:
    """End every trial and forget the candidate; the versions that lost a role.

    Raises:
        NotFoundError: there is none.
    """
    with opened_site(settings) as site:
        before = site.state.pointer()
        after = change(site, roles.withdrawn)
        if before.role("canary") is not None:
            _rebuild_again(site)
        return sorted(
            {one.version for one in before.named if one not in after.named}
        )  # fmt: skip


def _rebuild_again(site: Site) -> None:
    """Have all profiles looked at once more: those of the canary's users are of its model."""
    while (known := site.state.rebuild()) is not None:
        anew = replace(known, after="", seen=0, rebuilt=0, done=False)
        try:
            with site.state.write() as write:
                write.put_rebuild(anew, expected=known)
        except ConflictError:
            continue  # it is under way
        return


def _follow_up(
    site: Site, pointer: Pointer, before: NamedRelease | None, *, started: float, told: Told
) -> Released:
    """What has to follow a change of the live model; processes and builders do it too."""
    live = pointer.role("live")
    if live is None:
        raise NotFoundError("no model is live")
    announcing.announce(site.settings, pointer)
    manifest = read_manifest(homes.bundles_folder(site.settings) / live.version)
    make_live(site.settings, manifest)
    told("announced")
    swapped = await_open(
        site.settings, "live", live.version, seconds=SWAP_PATIENCE_SECONDS
    )  # fmt: skip
    holding, processes = swapped
    told("swapped" if holding >= processes else f"{holding} of {processes} processes answer so far")
    return Released(
        live.version,
        before.version if before is not None else None,
        time.monotonic() - started,
        *swapped,
    )
