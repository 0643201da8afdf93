"""Where a site lives and listens, and who may ask it."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.secret import Secret


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Folder, address, keys, tokens, certificate."""

    home: Annotated[
        str,
        Meta(description="Folder of the embedded database, vectors and caches. One per site."),
    ] = ".clickwise"
    site: Annotated[
        str,
        Meta(
            pattern=r"^([a-z][a-z0-9-]{0,29})?$",
            description=(
                "Name of one of several sites on the same services: gives its processes topics, a"
                " database schema, collections and folders of their own (docs/access.md)."
            ),
        ),
    ] = ""
    host: Annotated[
        str,
        Meta(description="Address to listen on. Beyond loopback only with `api_keys` or `access`."),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port of the HTTP interface.")] = 8000
    workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Serving processes. One per core that serving may use."),
    ] = 1
    api_keys: Annotated[
        Secret,
        Meta(
            description=(
                "For a server: comma-separated keys, 16 characters or more each, that it takes with"
                " every scope but `admin`; empty: those of `clickwise keys`, or no keys. For a"
                " command that asks a server (`import --url`): the first is the key that it"
                " presents (docs/access.md)."
            )
        ),
    ] = Secret("")
    metrics_keys: Annotated[
        Secret,
        Meta(
            description=(
                "Comma-separated keys, 16 characters or more each, with the scope `operate` alone:"
                " for Prometheus. A key that is in `api_keys` too has no more. With one set nobody"
                " is answered without a key."
            )
        ),
    ] = Secret("")
    access: Annotated[
        str,
        Meta(
            pattern="^(auto|keys)$",
            description=(
                "auto: while there is no key at all, this machine alone is answered. keys: never"
                " without a key, for sites whose keys are all those of `clickwise keys`."
            ),
        ),
    ] = "auto"
    oidc_issuer: Annotated[
        str,
        Meta(
            description=(
                "https address of an OpenID Connect issuer, exactly as its tokens name it: they"
                " open beside keys (docs/access.md). Empty: keys alone."
            )
        ),
    ] = ""
    oidc_audience: Annotated[
        str, Meta(description="Audience (`aud`) that a token has to name. With `oidc_issuer`.")
    ] = ""
    oidc_scope_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description=(
                "Claim whose words (or list) say what a token allows; with dots, into objects:"
                " realm_access.roles."
            ),
        ),
    ] = "scope"
    oidc_scopes: Annotated[
        str,
        Meta(
            description=(
                "What those words allow: shop-admins=admin,shop-app=read,... Empty:"
                " clickwise:read allows `read`, and so on."
            )
        ),
    ] = ""
    oidc_ca_file: Annotated[
        str,
        Meta(description="PEM file of the authority that signed the issuer's certificate."),
    ] = ""
    cors_origins: Annotated[
        str,
        Meta(
            description=(
                "Comma-separated origins, such as https://shop.example, whose pages a browser may"
                " let ask here. Empty: none."
            )
        ),
    ] = ""
    tls_certificate: Annotated[
        str,
        Meta(
            description=(
                "PEM certificate chain of the HTTP interface, for TLS 1.2 and 1.3. Workers are"
                " renewed when the file changes. Empty: plain HTTP."
            )
        ),
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM private key that goes with it.")] = ""

    @property
    def folder(self) -> Path:
        """`home` as a path."""
        return Path(self.home)

    @property
    def closed(self) -> bool:
        """True when nobody is answered without a key or a token, whatever keys there are."""
        return self.access == "keys" or bool(self.oidc_issuer or self.keys_of_metrics)

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins whose pages may ask, one by one."""
        return tuple(one.strip() for one in self.cors_origins.split(",") if one.strip())

    @property
    def keys(self) -> tuple[Secret, ...]:
        """The API keys, one by one."""
        return tuple(Secret(k.strip()) for k in self.api_keys.reveal().split(",") if k.strip())

    @property
    def keys_of_metrics(self) -> tuple[Secret, ...]:
        """The keys that open figures alone, one by one."""
        return tuple(Secret(k.strip()) for k in self.metrics_keys.reveal().split(",") if k.strip())
