"""When is the API described? When somebody asks: it takes longer than all else at the start."""

import threading
from typing import Any

from flask import Flask
from flask_smorest import Api as SmorestApi

from ..schemas.common import ProblemSchema
from .blueprint import Blueprint


class Api(SmorestApi):
    """flask-smorest's, with the one error shape of `errors` in place of its own.

    The blueprints are described at the first look at `spec`, by whichever thread it is.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        self._spec: Any = None
        self._undescribed: list[Blueprint] = []
        # Entered a second time while a blueprint is described.
        self._describing = threading.RLock()
        super().__init__(app)

    @property
    def spec(self) -> Any:
        """The description of all blueprints (apispec.APISpec)."""
        with self._describing:
            blueprints, self._undescribed = self._undescribed, []
            if blueprints:
                self._describe(blueprints)
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        self._spec = spec

    def register_blueprint(self, blp: Blueprint, **_: Any) -> None:
        """Register the blueprint in the app, and remember it for the description."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._undescribed.append(blp)

    def _describe(self, blueprints: list[Blueprint]) -> None:
        super()._register_responses()
        for blp in blueprints:
            blp.register_views_in_doc(self, self._app, self._spec, name=blp.name, parameters=None)
            self._spec.tag({"name": blp.name, "description": blp.description})

    def _register_responses(self) -> None:
        """A schema for each status is left until the description, too."""

    def _register_error_handlers(self) -> None:
        """Every exception is answered by `errors`."""

    def _register_pagination_header(self) -> None:
        """Pages tell in their body how they go on."""
