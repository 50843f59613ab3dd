"""The headers that tell a browser what it may do with an answer: made once, sent with every answer."""

Headers = tuple[tuple[str, str], ...]

#: For data, which is not to be shown as a page, embedded or stored: it may be about people.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def security_headers(policy: str, caching: str) -> Headers:
    """Headers for answers with this Content-Security-Policy and Cache-Control.

    Strict-Transport-Security is left to the load balancer, which alone knows about TLS.
    """
    return (
        ("Content-Security-Policy", policy),
        ("Cache-Control", caching),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    )


DATA = security_headers(DATA_POLICY, "no-store")


def content_security_policy(*, connect: str = "", images: str = "") -> str:
    """What a page of ours may load: its own files, nothing inline, and what is named here.

    Args:
        connect: other origins that its scripts may ask, like `https://randomuser.me`.
        images: other sources of pictures.
    """
    own = "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src {own}",
            f"img-src {own} {images}".strip(),
            f"connect-src {own} {connect}".strip(),
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
