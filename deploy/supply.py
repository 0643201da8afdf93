"""What a release is made of: a bill of materials, its licenses, checksums, a signature.

    python -m deploy.supply sbom dist/clickwise.cdx.json
    python -m deploy.supply licenses
    python -m deploy.supply build dist
    python -m deploy.supply sign dist --key ~/.ssh/release
    python -m deploy.supply verify dist --signers allowed_signers

All of it reads what is installed here and needs no network. The bill is CycloneDX 1.6 in JSON: what
the program's own requirements, with all extras but `dev` and `gpu`, lead to.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.dependencies import requirements

ROOT = Path(__file__).parent.parent
EXTRAS = ("kafka", "texts", "trace", "train")
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
NAMESPACE = "clickwise-release"  # a signature for another purpose is none of a release
SIGNER = "release"

# What may be passed on with, or beside, a program under Apache-2.0.
ALLOWED = {
    "0BSD", "AFL-2.1", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "CNRI-Python", "HPND", "ISC", "LGPL-3.0", "LGPL-3.0-only", "LGPL-3.0-or-later",
    "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "NCSA", "PSF-2.0", "Python-2.0",
    "Unlicense", "Zlib",
}  # fmt: skip
# Not for redistribution with the program: libraries of the card's vendor, which torch asks for.
VENDOR = re.compile(r"(nvidia|cuda)[-_]|cuda-(bindings|pathfinder|toolkit)\Z")
# Packages that do not say it in words that a program reads; from the license in each.
KNOWN: Mapping[str, str] = {"huey": "MIT", "skops": "MIT"}
_WORDS = (
    (r"apache.*2|apache software|\bapache\b", "Apache-2.0"),
    (r"mozilla.*2|mpl.*2", "MPL-2.0"),
    (r"3-clause|bsd.?3|new bsd|modified bsd", "BSD-3-Clause"),
    (r"2-clause|bsd.?2|simplified bsd", "BSD-2-Clause"),
    (r"\bbsd\b", "BSD"),
    (r"mit-cmu|\bhpnd\b|historical permission", "HPND"),
    (r"\bmit\b", "MIT"),
    (r"\bisc\b", "ISC"),
    (r"python software foundation|\bpsf", "PSF-2.0"),
    (r"lgpl.*3|lesser general public license v3", "LGPL-3.0"),
    (r"unlicense", "Unlicense"),
    (r"zlib", "Zlib"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A package that is needed, as it is installed."""

    name: str
    version: str
    license: str
    needs: tuple[str, ...]


def required(project: Path = ROOT / "pyproject.toml") -> list[Requirement]:
    """What the program itself and its extras ask for."""
    return [Requirement(text) for text in requirements(project, list(EXTRAS))]


def parts(project: Path = ROOT / "pyproject.toml") -> list[Part]:
    """Every package that the project's requirements lead to, in order of name.

    What is not installed (for another system, say) is left out.
    """
    found: dict[str, Part] = {}
    waiting = [(one, "") for one in required(project)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one, outer = waiting.pop()
        if one.marker is not None and not one.marker.evaluate({"extra": outer}):
            continue
        name = canonicalize_name(one.name)
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        needs = [Requirement(text) for text in installed.requires or ()]
        for extra in ("", *sorted(one.extras)):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [(need, extra) for need in needs]
        plain = {canonicalize_name(need.name) for need in needs if need.marker is None}
        found[name] = Part(name, installed.version, license_of(installed), tuple(sorted(plain)))
    return [found[name] for name in sorted(found)]


def license_of(installed: metadata.Distribution) -> str:
    """The SPDX expression that a package gives, or what its words come to; empty: not known."""
    told = installed.metadata
    name = canonicalize_name(told["Name"])
    if name in KNOWN:
        return KNOWN[name]
    if told["License-Expression"]:
        return str(told["License-Expression"])
    classified = [
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier") or ()
        if one.startswith("License :: ") and one != "License :: OSI Approved"
    ]
    first = (told["License"] or "").strip().splitlines()[:1]
    for text in (*classified, *first):
        for pattern, license_name in _WORDS:
            if re.search(pattern, text, re.IGNORECASE):
                return license_name
    return ""


def refused(found: Iterable[Part]) -> list[Part]:
    """Those whose license is not known, or not one that is allowed in any of its choices."""
    return [one for one in found if not VENDOR.match(one.name) and not _is_allowed(one.license)]


def _is_allowed(expression: str) -> bool:
    """Whether one choice of an SPDX expression asks for allowed licenses alone."""
    if not expression:
        return False
    text = expression.replace("(", " ").replace(")", " ")
    if " OR " in text and " AND " not in text:
        return any(_is_allowed(choice.strip()) for choice in text.split(" OR "))
    names = re.split(r"\s+(?:AND|OR|WITH)\s+", text.strip())
    return all(name.strip() in ALLOWED for name in names)


def bill(found: Iterable[Part], *, version: str, direct: Iterable[str] = ()) -> dict[str, object]:
    """A CycloneDX document; the same for the same packages. `direct`: what the program names."""
    listed = list(found)
    known = {one.name for one in listed}
    root = {"type": "application", "bom-ref": "clickwise", "name": "clickwise", "version": version}
    content = "\n".join(f"{one.name}=={one.version}" for one in listed)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{version}:{content}')}",
        "version": 1,
        "metadata": {"component": {**root, "licenses": [{"expression": "Apache-2.0"}]}},
        "components": [
            {
                "type": "library",
                "bom-ref": one.name,
                "name": one.name,
                "version": one.version,
                "purl": f"pkg:pypi/{one.name}@{one.version}",
                **({"licenses": [{"license": {"name": one.license}}]} if one.license else {}),
            }
            for one in listed
        ],
        "dependencies": [
            {"ref": "clickwise", "dependsOn": sorted(known & set(direct))},
            *(
                {"ref": one.name, "dependsOn": [need for need in one.needs if need in known]}
                for one in listed
            ),
        ],
    }


def write_sums(folder: Path) -> Path:
    """Checksums of the files of a release, as `sha256sum --check` reads them."""
    lines = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (SUMS, SIGNATURE)
    ]
    target = folder / SUMS
    target.write_text("".join(lines))
    return target


def wrong_files(folder: Path) -> list[str]:
    """Files that the checksums do not fit, lack, or name without there being one."""
    listed: dict[str, str] = {}
    for line in (folder / SUMS).read_text().splitlines():
        checksum, _, name = line.partition("  ")
        listed[name] = checksum
    there = {path.name for path in folder.iterdir() if path.is_file()} - {SUMS, SIGNATURE}
    return sorted(
        name
        for name in there | listed.keys()
        if name not in there or listed.get(name) != sha256((folder / name).read_bytes()).hexdigest()
    )


def _build(folder: Path) -> None:
    """The wheel and the sdist, by setuptools as it is installed: nothing is fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("wheel", "sdist"):
        program = (
            f"from setuptools import build_meta as b; b.build_{kind}({str(folder.resolve())!r})"
        )
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)  # noqa: S603


def _ssh(*arguments: str, **more: object) -> bool:
    program = shutil.which("ssh-keygen")
    if program is None:
        sys.exit("ssh-keygen is missing: install openssh-client")
    return subprocess.run([program, *arguments], check=False, **more).returncode == 0  # type: ignore[call-overload, no-any-return]  # noqa: S603


def _sign(folder: Path, key: Path) -> None:
    (folder / SIGNATURE).unlink(missing_ok=True)
    sums = write_sums(folder)
    if not _ssh("-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(sums)):
        sys.exit(f"{sums} was not signed")


def _verify(folder: Path, signers: Path) -> None:
    """The signature first: without it the checksums say nothing."""
    with (folder / SUMS).open("rb") as sums:
        good = _ssh(
            "-Y", "verify", "-n", NAMESPACE, "-I", SIGNER, "-f", str(signers),
            "-s", str(folder / SIGNATURE), stdin=sums,
        )  # fmt: skip
    if not good:
        sys.exit(f"{folder / SIGNATURE} is no signature by {SIGNER} of {signers}")
    wrong = wrong_files(folder)
    if wrong:
        sys.exit(f"not as signed: {', '.join(wrong)}")
    print(f"{folder}: signed, and every file is as it was signed")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m deploy.supply")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sbom").add_argument("file", type=Path)
    commands.add_parser("licenses")
    commands.add_parser("build").add_argument("folder", type=Path)
    for name, option in (("sign", "--key"), ("verify", "--signers")):
        added = commands.add_parser(name)
        added.add_argument("folder", type=Path)
        added.add_argument(option, type=Path, required=True)
    given = parser.parse_args()
    if given.command == "sbom":
        version = metadata.version("clickwise")
        direct = {canonicalize_name(one.name) for one in required()}
        given.file.parent.mkdir(parents=True, exist_ok=True)
        given.file.write_text(
            json.dumps(bill(parts(), version=version, direct=direct), indent=1) + "\n"
        )
    elif given.command == "licenses":
        found = parts()
        for one in found:
            print(f"{one.name}\t{one.version}\t{one.license or '-'}")
        wrong = refused(found)
        if wrong:
            sys.exit(f"not allowed, or not known: {', '.join(one.name for one in wrong)}")
    elif given.command == "build":
        _build(given.folder)
    elif given.command == "sign":
        _sign(given.folder, given.key)
    else:
        _verify(given.folder, given.signers)


if __name__ == "__main__":
    main()
