"""What are the settings of this service? Reads them from the environment."""

from collections.abc import Mapping
from urllib.parse import quote

from . import layout
from .config import SETTINGS, BadSetting, Setting, Value


def read_settings(environ: Mapping[str, str]) -> dict[str, Value]:
    """Every setting by its name, as Flask's config takes it; raises `BadSetting`."""
    return {setting.name: _read(setting, environ) for setting in SETTINGS}


def given_settings(environ: Mapping[str, str]) -> frozenset[str]:
    """The names of the settings that the environment sets, to whatever value."""
    return frozenset(setting.name for setting in SETTINGS if setting.name in environ)


def _read(setting: Setting, environ: Mapping[str, str]) -> Value:
    text = environ.get(setting.name)
    if text is None:
        text = _default(setting, environ)
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = _without_password(text) if setting.is_secret else text
        raise BadSetting(f"{setting.name}={shown!r} cannot be used: give {error}") from None


def _without_password(url: str) -> str:
    """The scheme of an invalid URL; a text that does not look like one is kept."""
    scheme, slashes, _ = url.partition("//")
    return f"{'' if '@' in scheme else scheme}//***" if slashes or "@" in url else url


def _default(setting: Setting, environ: Mapping[str, str]) -> str:
    if "{data}" not in setting.default:
        return setting.default
    try:
        data = quote(str(layout.data_folder(environ)))
    except RuntimeError as error:
        raise BadSetting(f"{setting.name} must be set: {error}") from None
    return setting.default.format(data=data)
