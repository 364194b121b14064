"""Signs a statement without a key of one's own: by a short-lived certificate for an identity that Sigstore
vouches for, in its public log. The library, which is an extra, does all of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mlproj.errors import UsageError


def sign_keyless(payload: bytes) -> bytes:
    """An in-toto statement as a Sigstore bundle (JSON, `application/vnd.dev.sigstore.bundle.v0.3+json`).

    In CI the identity is the job's own; elsewhere a browser asks for one. Identity and signature become
    public. Raises UsageError where the library is missing, or where Sigstore cannot be reached or refuses.
    """
    try:
        models, sign, dsse, oidc, errors = (
            import_module(f"sigstore.{name}") for name in ("models", "sign", "dsse", "oidc", "errors")
        )
    except ImportError as error:
        raise UsageError(
            "`--keyless` needs what is not installed: Sigstore's library",
            hint="`pip install mlproj[sigstore]` brings it",
        ) from error
    try:
        trust = models.ClientTrustConfig.production()
        context = sign.SigningContext.from_trust_config(trust)
        with context.signer(_identity(oidc, trust)) as signer:
            text: str = signer.sign_dsse(dsse.Statement(payload)).to_json()
    except (errors.Error, oidc.IssuerError, sign.ExpiredCertificate, sign.ExpiredIdentity, OSError) as error:
        raise UsageError(
            f"Sigstore did not sign it: {str(error) or type(error).__name__}",
            hint="it needs the network; `--key` signs with a key of your own",
        ) from error
    return text.encode() + b"\n"


def _identity(oidc: Any, trust: Any) -> Any:
    """Whom the surroundings say that we are, as in CI; else whom a person proves to be."""
    token = oidc.detect_credential()
    if token is not None:
        return oidc.IdentityToken(token)
    return oidc.Issuer(trust.signing_config.get_oidc_url()).identity_token()
