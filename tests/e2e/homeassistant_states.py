"""Runs Home Assistant with a configuration, and prints its entities and images as JSON.

A program for a Python that has the package homeassistant: its arguments are the folder of the
configuration, and the ids of the entities to wait for.
"""

import asyncio
import base64
import json
import sys

from homeassistant import auth, bootstrap, config, core, loader, setup
from homeassistant.config_entries import ConfigEntries

SECONDS = 60


async def main(folder: str, *awaited: str) -> None:
    """Set up everything in the configuration, wait for the entities, and print all."""
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    loader.async_setup(hass)
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    found = await config.async_hass_config_yaml(hass)
    for domain in found:
        assert domain == "homeassistant" or await setup.async_setup_component(hass, domain, found)
    await hass.async_start()
    async with asyncio.timeout(SECONDS):
        while any(is_missing(hass.states.get(entity)) for entity in awaited):
            await asyncio.sleep(0.1)
    states = {state.entity_id: state.as_dict() for state in hass.states.async_all()}
    images = {
        entity.entity_id: base64.b64encode(await entity.async_image()).decode()
        for entity in hass.data["image"].entities
    }
    print(json.dumps({"states": states, "images": images}, default=str))
    await hass.async_stop(force=True)


def is_missing(state: core.State | None) -> bool:
    return state is None or state.state == "unavailable"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
