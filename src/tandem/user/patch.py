"""JSON Merge Patch (RFC 7396) on users: what a patch makes of a profile, and what was changed.

A client's patch speaks the users' wire format, in any of its versions. What is kept of it is another patch,
in normal form: the least one that makes the new profile of the old one.
"""

from typing import Any

import msgspec

from tandem.user.profile import Profile
from tandem.user.wire import InvalidField, UserInput, normalize

Json = dict[str, Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """The target as the patch changes it, by the algorithm of RFC 7396, section 2. Neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def difference(before: Json, after: Json) -> Json:
    """The least patch that makes `after` of `before`; neither has a null in it."""
    patch: Json = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if old == value:
            continue
        patch[name] = difference(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return patch


def patched(profile: Profile, patch: Json) -> Profile:
    """The profile as a client's patch changes it.

    Raises:
        InvalidField: what comes out is no user, such as one with a date that there never was.
    """
    merged = merge_patch(msgspec.to_builtins(profile), patch)
    try:
        return normalize(msgspec.convert(merged, UserInput))
    except msgspec.ValidationError as error:
        raise InvalidField("#", f"is no user any more: {error}") from error


def changes_between(before: Profile, after: Profile) -> Json:
    """The least patch in normal form that makes one profile of the other; empty where they are equal."""
    return difference(pruned(msgspec.to_builtins(before)), pruned(msgspec.to_builtins(after)))


def changed(profile: Profile, changes: Json) -> Profile:
    """The profile after these changes, which are in normal form.

    Raises:
        msgspec.ValidationError: what comes out is no profile.
    """
    return msgspec.convert(merge_patch(msgspec.to_builtins(profile), changes), Profile)


def pruned(value: Any) -> Any:
    """JSON without members that are null or have nothing in them, which say no more than their absence."""
    if not isinstance(value, dict):
        return value
    kept = {name: pruned(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner is not None and inner != {}}
